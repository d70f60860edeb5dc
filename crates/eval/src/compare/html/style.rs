//! The style sheet of the report, light and dark.

pub(super) const CSS: &str = "
:root { color-scheme: light dark; --page: #fbfbfa; --panel: #ffffff; --ink: #1d2023; --soft: #5c636b;
  --rule: #dfe2e6; --better: #1667b7; --worse: #c2410c;
  --s0: #1667b7; --s1: #d9480f; --s2: #2b8a3e; --s3: #9c36b5; --s4: #a37500; --s5: #0c8599; --s6: #c2255c; --s7: #495057; }
@media (prefers-color-scheme: dark) {
  :root { --page: #15181b; --panel: #1d2125; --ink: #e7e9ec; --soft: #a2abb5; --rule: #353b42;
    --better: #74b4f5; --worse: #ff9a62;
    --s0: #74b4f5; --s1: #ff9a62; --s2: #74cf8c; --s3: #dd93ee; --s4: #e2bd55; --s5: #62cfe0; --s6: #f78fb3; --s7: #b4bcc5; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; }
main { max-width: 72rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .3rem; }
section { border-top: 1px solid var(--rule); margin-top: 2.5rem; }
.note, .count { color: var(--soft); margin: .2rem 0 .6rem; }
.warning { color: var(--worse); margin: .2rem 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid var(--rule); white-space: nowrap; }
thead th { color: var(--soft); font-weight: 600; }
th:first-child { text-align: left; font-weight: 600; padding-left: 0; }
td:last-child, th:last-child { padding-right: 0; }
.tables { display: flex; flex-wrap: wrap; gap: 0 3rem; }
.words { text-align: left; }
.mark { display: inline-block; width: 1.1em; text-align: center; }
.queries { width: 100%; }
.queries td.text { white-space: normal; text-align: left; width: 100%; min-width: 14rem; }
.better { color: var(--better); }
.worse { color: var(--worse); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); gap: 1.25rem; }
.lists { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); gap: 0 2rem; }
figure { margin: .75rem 0; padding: .9rem 1rem .6rem; background: var(--panel); border: 1px solid var(--rule); border-radius: 8px; }
figcaption { font-weight: 600; }
figcaption span { display: block; font-weight: 400; color: var(--soft); font-size: .87rem; }
.legend { display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: .45rem 0 0; padding: 0; list-style: none; font-size: .87rem; }
.legend svg { width: 26px; height: 10px; vertical-align: middle; margin-right: .35rem; }
figure > svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font: 11px system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif; }
svg .grid { stroke: var(--rule); stroke-width: 1; }
svg .axis { stroke: var(--soft); stroke-width: 1; }
svg .line { fill: none; stroke-width: 2; stroke-linejoin: round; stroke-linecap: round; }
svg .up { fill: var(--better); }
svg .down { fill: var(--worse); }
svg rect.up:hover, svg rect.down:hover { fill: var(--ink); }
.s0 { stroke: var(--s0); } .s1 { stroke: var(--s1); } .s2 { stroke: var(--s2); } .s3 { stroke: var(--s3); }
.s4 { stroke: var(--s4); } .s5 { stroke: var(--s5); } .s6 { stroke: var(--s6); } .s7 { stroke: var(--s7); }
.d1 { stroke-dasharray: 7 4; } .d2 { stroke-dasharray: 2 4; } .d3 { stroke-dasharray: 9 3 2 3; }
details { margin-top: 1.5rem; }
summary { cursor: pointer; font-weight: 600; font-size: 1.05rem; }
@media print { details { break-inside: avoid; } }
";
