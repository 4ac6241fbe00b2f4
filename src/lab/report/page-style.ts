/** What the page of a comparison adds to the style of all pages. */
export const PAGE_STYLE = `
:root { --held: #3f7cc4; --busy: #9cc3ee; --back: #f0b35e; --busy-ink: #2c5f9e; --back-ink: #99610c;
  --early: #b3560a }
@media (prefers-color-scheme: dark) {
  :root { --held: #3a6ba6; --busy: #24466f; --back: #7a4d10; --busy-ink: #8ab8ec;
    --back-ink: #f0b35e; --early: #f2a65a }
}
.scroll { overflow: auto } article .scroll { max-height: 24rem } table { border-collapse: collapse }
th { text-align: left; padding: .35rem .5rem }
.matrix { width: 100%; min-width: 66rem; table-layout: fixed }
.matrix thead td { width: 5.5rem } .matrix td b { font-size: .93rem; white-space: nowrap }
.matrix th[scope=row], .matrix thead td { position: sticky; left: 0; background: var(--paper) }
.matrix td { border: 2px solid var(--paper); padding: 0 }
.matrix td a { display: block; padding: .45rem .5rem; text-decoration: none; border-radius: 4px;
  background: color-mix(in srgb, currentColor 12%, var(--paper)) }
.matrix a:hover, .matrix a:focus, article:target { outline: 2px solid currentColor }
.matrix a, .matrix small { color: inherit; display: block }
.gains { color: var(--good) } .lost { color: var(--bad) } .refused { color: var(--warn) }
.nothing { color: var(--soft) }
.signs, .findings, figcaption ul { padding: 0; list-style: none }
.signs li, figcaption li { color: var(--soft) } .signs li, figcaption ul li { display: inline-block;
  margin-right: 1.2rem }
.findings li { padding-left: 1.6rem; text-indent: -1.6rem }
.findings span { display: inline-block; width: 1.6rem; text-indent: 0; font-weight: 700 }
details { border-top: 1px solid var(--line); padding: .4rem 0 }
summary span { margin-left: .6rem } .chapter details { margin-left: 1.1rem }
article { padding: .2rem .5rem; scroll-margin-top: 4rem }
dl { display: grid; grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)); gap: .5rem 1rem }
dl div:nth-child(-n+5) { grid-column: 1 / -1 }
article td { padding: .1rem .5rem; font: 12.5px/1.45 ui-monospace, monospace; white-space: nowrap }
figure { margin: .6rem 0; max-width: 48rem } figcaption ol { columns: 18rem }
svg.plot { display: block; width: 100%; min-width: 34rem } svg.patterns { position: absolute }
.swatch { width: 14px; height: 14px; margin-right: .4rem; vertical-align: -2px }
svg text { fill: var(--ink); font: 12px system-ui, sans-serif }
svg .tick { text-anchor: end } svg .number { text-anchor: middle; font-weight: 700 }
svg .grid { stroke: var(--line) } svg .mark { stroke: var(--soft); stroke-dasharray: 2 3 }
svg .held { fill: var(--held) } svg .inflating { fill: url(#inflating) }
svg .deflating { fill: url(#deflating) }
.inflating-paper { fill: var(--busy) } .deflating-paper { fill: var(--back) }
.inflating-ink { stroke: var(--busy-ink) } .deflating-ink { stroke: var(--back-ink) }
svg .line { fill: none; stroke-width: 2.5 } svg .locked { stroke: var(--ink) }
svg .touched { stroke: var(--early); stroke-dasharray: 7 4 }
svg .lost { stroke: var(--bad); stroke-width: 4; stroke-dasharray: 2 3 }
`;
