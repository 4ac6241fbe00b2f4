/**
 * The style sheet of the page of a comparison. It loads nothing. Each colour goes with a word, a
 * sign or a pattern that says the same.
 */
export const PAGE_STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #59636e; --line: #d5dae0;
  --gains: #1a7f37; --gains-paper: #e3f6e8; --lost: #c11d28; --lost-paper: #fde7e8;
  --refused: #8a5a00; --refused-paper: #fff3d1; --nothing: #59636e; --nothing-paper: #f2f4f6;
  --held: #3f7cc4; --busy: #9cc3ee; --back: #f0b35e; --busy-ink: #2c5f9e; --back-ink: #99610c;
  --locked: #1b1f24; --early: #b3560a }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e7ebef; --paper: #14171b; --soft: #9aa5b1; --line: #353c44;
    --gains: #56d07a; --gains-paper: #12301c; --lost: #ff8189; --lost-paper: #401518;
    --refused: #f2c14e; --refused-paper: #382b0a; --nothing: #9aa5b1; --nothing-paper: #1f242a;
    --held: #3a6ba6; --busy: #24466f; --back: #7a4d10; --busy-ink: #8ab8ec; --back-ink: #f0b35e;
    --locked: #e7ebef; --early: #f2a65a }
}
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 74rem; margin: 2rem auto 4rem; padding: 0 1rem }
h1 { font-size: 1.6rem; margin: 0 0 .4rem } h2 { font-size: 1.25rem; margin: 3rem 0 .2rem }
h3 { font-size: 1.05rem; margin: 0 }
p { margin: .4rem 0 } .soft, figcaption { color: var(--soft) }
a { color: inherit } code, .trace { font: 12.5px/1.45 ui-monospace, monospace }
.scroll { overflow-x: auto }
table { border-collapse: collapse }
.matrix { width: 100%; margin: 1.2rem 0; min-width: 60rem; table-layout: fixed }
.matrix caption { text-align: left; color: var(--soft); padding: .4rem 0 }
.matrix th { text-align: left; font-weight: 600; padding: .35rem .5rem }
.matrix thead th { vertical-align: bottom }
.matrix td { border: 2px solid var(--paper); padding: 0 }
.matrix td a { display: block; padding: .45rem .5rem; white-space: nowrap; text-decoration: none;
  border-radius: 4px }
.matrix td a:hover, .matrix td a:focus { outline: 2px solid currentColor }
.matrix small { display: block; color: var(--ink); opacity: .8 }
.gains { color: var(--gains) } .lost { color: var(--lost) } .refused { color: var(--refused) }
.nothing { color: var(--nothing) }
.matrix .gains a { background: var(--gains-paper) }
.matrix .lost a { background: var(--lost-paper) }
.matrix .refused a { background: var(--refused-paper) }
.matrix .nothing a { background: var(--nothing-paper) }
.matrix b { font-size: .93rem } .matrix b, .badge { font-weight: 600 }
.lost b, .badge.lost { font-weight: 800 }
.findings { padding: 0; list-style: none; margin: .5rem 0 }
.findings li { padding: .15rem 0 .15rem 1.6rem; text-indent: -1.6rem }
.findings span { display: inline-block; width: 1.6rem; text-indent: 0; font-weight: 700 }
article { border-top: 1px solid var(--line); margin: 1.4rem 0 0; padding: 1rem 0 0 }
article header { display: flex; gap: .8rem; align-items: baseline; flex-wrap: wrap }
article:target { outline: 2px solid var(--held); outline-offset: .6rem; border-radius: 2px }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .5rem 1.2rem;
  margin: .7rem 0 } dl div.wide { grid-column: 1 / -1 }
dt { color: var(--soft); font-size: .85rem } dd { margin: 0; font-variant-numeric: tabular-nums }
details { margin: .5rem 0 } summary { cursor: pointer }
details table { margin: .4rem 0 } details th { text-align: left; color: var(--soft) }
details td, details th { padding: .1rem 1rem .1rem 0; vertical-align: top; font-weight: 400 }
details .scroll { max-height: 22rem; overflow-y: auto }
figure { margin: .6rem 0 } figcaption { font-size: .9rem }
figcaption ol { margin: .2rem 0; columns: 2; padding-left: 1.8rem }
svg { display: block; width: 100%; height: auto } svg.patterns { position: absolute; width: 0 }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif }
svg .tick { text-anchor: end; fill: var(--soft) } svg .number { text-anchor: middle }
svg .number { font-weight: 700 }
svg .grid { stroke: var(--line) } svg .mark { stroke: var(--soft); stroke-dasharray: 2 3 }
svg .held { fill: var(--held) } svg .inflating { fill: url(#inflating) }
svg .deflating { fill: url(#deflating) }
.inflating-paper { fill: var(--busy) } .deflating-paper { fill: var(--back) }
.inflating-ink { stroke: var(--busy-ink) } .deflating-ink { stroke: var(--back-ink) }
svg .line { fill: none; stroke-width: 2.5 } svg .locked { stroke: var(--locked) }
svg .touched { stroke: var(--early); stroke-dasharray: 7 4 }
svg .lost { stroke: var(--lost); stroke-width: 4; stroke-dasharray: 2 3 }
@media print { details .scroll { max-height: none } article { break-inside: avoid } }
@media (max-width: 40rem) { figcaption ol { columns: 1 } }
`;
