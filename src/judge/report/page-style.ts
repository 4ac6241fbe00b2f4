/** What the page of a judge's report adds to the style of all pages. */
export const PAGE_STYLE = `
body { max-width: 104rem; padding: 0 clamp(1rem, 3vw, 2.5rem) }
header { border: 1px solid var(--line); border-left: 6px solid var(--tone); border-radius: 8px;
  padding: 1.1rem 1.3rem 1.2rem; background: var(--raised) }
header p { margin: .2rem 0 0; color: var(--soft) }
h1 { overflow-wrap: anywhere; line-height: 1.25 }
.badge { display: inline-block; font-weight: 700; color: var(--tone); border: 1.5px solid;
  border-radius: 99px; padding: .05rem .8rem .1rem; margin-bottom: .5rem }
.bad { --tone: var(--bad) } .warn { --tone: var(--warn) } .good { --tone: var(--good) }
.calm { --tone: var(--soft) }
.sums { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); gap: .6rem;
  list-style: none; padding: 0; margin: 1rem 0 0 }
.sums li { padding: .5rem .8rem .6rem; border-radius: 6px; background: var(--paper);
  border: 1px solid var(--line); color: var(--soft); font-size: .87rem }
.sums b { display: block; font-size: 1.5rem; line-height: 1.2; color: var(--tone) }
dl { display: flex; flex-wrap: wrap; gap: .35rem 1.8rem; margin: 1rem 0 0 }
h2 { margin-bottom: .7rem } h2 small { font-weight: 400; font-size: .9rem; color: var(--soft) }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr));
  gap: .9rem; align-items: start }
article, .beside { border: 1px solid var(--line); border-radius: 8px; padding: .9rem 1.1rem;
  border-top: 3px solid var(--tone); min-width: 0 }
article:target, .scenarios > li:target { outline: 2px solid var(--link); outline-offset: 2px }
article > p { margin: .35rem 0 0 } article > p:first-of-type { font-weight: 600 }
h3 { font-size: 1.1rem }
.level { font-size: .78rem; font-weight: 700; letter-spacing: .02em; color: var(--tone);
  border: 1px solid; border-radius: 4px; padding: .05rem .4rem; margin: 0 .5rem;
  vertical-align: 2px; white-space: nowrap }
.section { color: var(--soft); font-size: .87rem; display: inline-block }
article dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem .9rem;
  margin-top: .6rem }
article dl div { display: contents } article dt { padding-top: .1rem }
.seen { font: 13px/1.5 ui-monospace, monospace }
details { margin-top: .6rem } summary { color: var(--soft); font-size: .9rem }
pre { margin: .4rem 0 0; padding: .6rem .8rem; overflow: auto; max-height: 22rem;
  font: 12.5px/1.5 ui-monospace, monospace; background: var(--raised); border-radius: 6px }
.scenarios, .differences { list-style: none; padding: 0; margin: 0 }
.scenarios > li { display: grid; gap: .1rem 1.2rem; padding: .6rem .3rem;
  grid-template-columns: 7rem minmax(0, 1fr) minmax(0, 16rem) 4rem;
  border-top: 1px solid var(--line) }
.scenarios > li:last-child, .differences li:last-child { border-bottom: 1px solid var(--line) }
.scenarios .outcome { color: var(--tone); font-weight: 600 }
.scenarios .outcome small { display: block; font-weight: 400 }
.scenarios b { display: block; overflow-wrap: anywhere } .scenarios small { color: var(--soft) }
.scenarios .took { text-align: right; color: var(--soft); font-variant-numeric: tabular-nums }
.scenarios .note, .scenarios details { grid-column: 2 / -1; margin: .15rem 0 0 }
.scenarios .note { overflow-wrap: anywhere }
.differences li { padding: .35rem .3rem; border-top: 1px solid var(--line);
  overflow-wrap: anywhere }
.differences b { color: var(--tone); display: inline-block; min-width: 6.5rem }
.beside { --tone: var(--line) } .beside > p { margin: 0 0 .6rem }
footer { margin-top: 2.5rem; color: var(--soft); font-size: .87rem }
@media (max-width: 52rem) {
  .scenarios > li { grid-template-columns: minmax(0, 1fr) auto }
  .scenarios .rules { grid-row: 2 } .scenarios .outcome { grid-column: 1; grid-row: 3 }
  .scenarios .outcome small { display: inline; margin-left: .6rem }
  .scenarios .what { grid-column: 1 / -1; grid-row: 1 }
  .scenarios .took { grid-column: 2; grid-row: 3 }
  .scenarios .rules, .scenarios .note, .scenarios details { grid-column: 1 / -1 }
}
@media print { body { margin: 0 } article, .scenarios > li { break-inside: avoid } }
`;
