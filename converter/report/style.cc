// The look of the page. Colours are those of Okabe and Ito (2008), told apart by the colour-blind, made lighter for
// dark screens; what came in is grey and what came out blue throughout.
#include "report/charts.h"

namespace kinglet::convert {

const char kReportStyle[] = R"(
:root{color-scheme:light dark;--paper:#fcfbf8;--ink:#1c2126;--soft:#5b646d;--rule:#dcd8cf;--faint:#f0ede6;
--before:#a3abb3;--after:#0868ac;--warn:#c4510a;--good:#00775a;--on-after:#fff;
--p0:#0868ac;--p1:#d98a00;--p2:#007f5d;--p3:#b5478f;--p4:#c4510a;--p5:#6f7780;--on-part:#fff;
--serif:Charter,'Bitstream Charter','Iowan Old Style','Source Serif 4',Georgia,'DejaVu Serif',serif;
--sans:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue','Noto Sans','DejaVu Sans',sans-serif;
--mono:ui-monospace,'SF Mono',Menlo,Consolas,'DejaVu Sans Mono',monospace}
@media (prefers-color-scheme:dark){:root{--paper:#15181b;--ink:#e9e6df;--soft:#9ea7b0;--rule:#343a40;--faint:#20252a;
--before:#727c86;--after:#58b0f0;--warn:#ff8f4d;--good:#3cc79a;--on-after:#0b1116;
--p0:#58b0f0;--p1:#f0b03c;--p2:#3cc79a;--p3:#e58cc6;--p4:#ff8f4d;--p5:#98a2ab;--on-part:#0b1116}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 var(--sans);font-variant-numeric:tabular-nums;overflow-wrap:break-word}
main{max-width:820px;margin:0 auto;padding:40px 24px 64px}
header{border-top:4px solid var(--ink);padding-top:12px}
.kicker{margin:0;color:var(--soft);font-size:13px;letter-spacing:.02em}
h1{font:700 clamp(28px,5.2vw,42px)/1.12 var(--serif);letter-spacing:-.01em;margin:10px 0 12px;overflow-wrap:anywhere}
.lead{font:400 19px/1.45 var(--serif);margin:0 0 24px;max-width:42em;overflow-wrap:anywhere}
h2{font:700 23px/1.25 var(--serif);margin:0 0 14px}
h2+.sub{margin-top:-10px}
h3{font:600 15px/1.4 var(--sans);margin:26px 0 6px}
section{border-top:1px solid var(--rule);margin-top:40px;padding-top:18px}
p{margin:0 0 12px;max-width:44em}
.sub{color:var(--soft);font-size:15px;margin-bottom:16px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(160px,1fr));gap:0 28px;margin:0;padding:0}
.tile{border-top:1px solid var(--rule);padding:10px 0 14px}
.tile dt{color:var(--soft);font-size:13px}.tile dt::first-letter{text-transform:uppercase}
.tile dd{margin:0}
.tile .big{font:700 34px/1.15 var(--serif);letter-spacing:-.01em;display:block}
.tile .small{font-size:13.5px;color:var(--soft);display:block;overflow-wrap:anywhere}
.none .big{color:var(--soft);font-size:22px;line-height:39px;font-weight:400}
.callout{border-left:4px solid var(--warn);background:var(--faint);padding:10px 14px;max-width:none}
svg{display:block;overflow:visible}
svg text{font:12px var(--sans);fill:var(--soft);font-variant-numeric:tabular-nums}
svg text.ink{fill:var(--ink)}svg text.halo{stroke:var(--paper);stroke-width:4px;paint-order:stroke;stroke-linejoin:round}
.rule{stroke:var(--rule)}.axis{stroke:var(--soft)}
.before{fill:var(--before)}.after{fill:var(--after)}.warn{fill:var(--warn)}.paper{fill:var(--paper)}
.line-before{stroke:var(--before)}.line-after{stroke:var(--after)}.line-warn{stroke:var(--warn)}
.bar{display:flex;height:38px;margin:2px 0 12px}
.bar span{display:block;border-right:1px solid var(--paper);overflow:hidden;white-space:nowrap;text-overflow:ellipsis;min-width:0;
font-size:12.5px;line-height:38px;padding-left:7px;color:var(--on-part)}
.bar span.thin{padding:0}
.bar .room{background:none;border:0;padding:0}
.bar-name{font-size:14px;display:flex;justify-content:space-between;gap:12px}
.b0{background:var(--p0)}.b1{background:var(--p1)}.b2{background:var(--p2)}.b3{background:var(--p3)}
.b4{background:var(--p4)}.bar .b1{color:#1c2126}.b5{background:var(--p5)}
.key{display:inline-block;width:11px;height:11px;margin-right:8px}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:14.5px;margin:6px 0 12px}
th{font-weight:400;color:var(--soft);text-align:left;font-size:13px;vertical-align:bottom}
th,td{padding:6px 14px 6px 0;border-bottom:1px solid var(--rule)}
td{vertical-align:top}td:first-child,.facts td{overflow-wrap:anywhere}
th:last-child,td:last-child{padding-right:0}
td.n,th.n{text-align:right}td.n{white-space:nowrap}
tr.total td{font-weight:600;border-bottom:0}
.row{display:grid;grid-template-columns:minmax(90px,9.5em) 1fr minmax(6.5em,auto);gap:0 16px;align-items:center;
padding:5px 0;font-size:14.5px}
.row>:last-child{text-align:right}
.row.head{color:var(--soft);font-size:13px;padding:0}
.row>*{min-width:0}.row b{font-weight:650}
.muted{color:var(--soft)}
.pair{font-size:13px}
.heads{display:flex;flex-wrap:wrap;gap:3px}
.heads i{width:14px;height:14px;background:var(--after)}
.heads i.gone{background:none;border:1.5px solid var(--before);
background:linear-gradient(to top right,transparent calc(50% - 1px),var(--before) calc(50% - 1px) calc(50% + 1px),transparent 0)}
.track{height:14px;background:none;border:1.5px solid var(--before)}
.track i{display:block;height:100%;background:var(--p2)}
.layers .row{grid-template-columns:minmax(60px,6em) minmax(0,210px) minmax(0,1fr) 12.5em;padding:4px 0}
.gone-layer{color:var(--soft);border:1.5px dashed var(--before);padding:0 8px;font-size:13px}
.was{color:var(--soft);text-decoration:line-through;text-decoration-thickness:1px}
.changed{table-layout:fixed}.changed th+th{width:15%}
.chip::before{content:'';display:inline-block;width:8px;height:8px;border-radius:50%;margin-right:6px}
.chip.right::before{background:var(--good)}.chip.wrong::before{background:none;border:2px solid var(--warn);width:4px;height:4px;box-sizing:content-box}
code{font:13px/1.55 var(--mono);background:var(--faint);padding:10px 12px;display:block;overflow-wrap:anywhere;
white-space:pre-wrap;margin:6px 0 16px}
.facts td:first-child{color:var(--soft);width:30%;min-width:8em}
.hash{font:12.5px/1.5 var(--mono)}
ul{margin:0;padding-left:1.2em}li{margin-bottom:4px}
footer{color:var(--soft);font-size:13px;border-top:1px solid var(--rule);margin-top:40px;padding-top:12px}
.legend{display:flex;flex-wrap:wrap;gap:4px 20px;font-size:13px;color:var(--soft);margin:0 0 8px;padding:0;list-style:none}
.dot{border-radius:50%}
.legend .key{margin-right:6px}.legend li,.bar-name span,.tile{min-width:0}
@media (max-width:560px){body{font-size:15.5px}main{padding:20px 16px 48px}.lead{font-size:17.5px}
.tiles{grid-template-columns:1fr 1fr;gap:0 18px}.tile .big{font-size:27px}.none .big{font-size:19px;line-height:31px}
.row{grid-template-columns:1fr auto}.row .plot{grid-column:1/-1;grid-row:2}.row.head .plot{display:none}
.layers .row{grid-template-columns:1fr 1fr}.layers .row>:last-child{text-align:right;grid-row:1;grid-column:2}
.layers .heads{grid-row:2}.layers .row.head{display:none}
table{font-size:13.5px}th,td{padding-right:10px}
.changed thead{display:none}.changed tr{display:block;border-bottom:1px solid var(--rule);padding:8px 0}
.changed td{display:block;border:0;padding:1px 0}.changed td+td::before{content:attr(data-name) ': ';color:var(--soft)}}
@media print{:root{color-scheme:light;--paper:#fff;--ink:#000;--soft:#444;--rule:#bbb;--faint:#f3f3f3;--before:#999;--after:#0868ac;
--warn:#c4510a;--good:#00775a;--on-after:#fff;--p0:#0868ac;--p1:#d98a00;--p2:#007f5d;--p3:#b5478f;--p4:#c4510a;--p5:#6f7780;--on-part:#fff}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}main{max-width:none;padding:0}body{font-size:10.5pt}
section{margin-top:22px;padding-top:12px}h2,h3{break-after:avoid}.row,tr,.bar,svg,.tile,.callout{break-inside:avoid}}
)";

}  // namespace kinglet::convert
