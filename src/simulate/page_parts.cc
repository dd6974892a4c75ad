#include "simulate/page_parts.h"

#include <fmt/format.h>

namespace snug::simulate {
namespace {

constexpr std::string_view kStyle = R"(
:root{--ground:#fbfaf8;--card:#fff;--ink:#1c2128;--soft:#5d6672;--hair:#e4e1db;--grid:#eceae5;--off:#f1efea;
--c0:#2563eb;--c1:#d9730d;--c2:#0f8a5f;--c3:#c2314e;--c4:#7c4ddb;--c5:#0891a5;--c6:#8a6d1f;--c7:#6b7280;
--h0:#eaf2fb;--h1:#d3e5f6;--h2:#b7d4ee;--h3:#93bfe3;--h4:#6aa5d4;--h5:#4489c1;--h6:#2a6da9;--h7:#1c548c;--h8:#153f6d;
--h9:#102d50;--h10:#d6324b}
@media(prefers-color-scheme:dark){:root{--ground:#12151a;--card:#1a1e25;--ink:#e8eaed;--soft:#9aa4b1;--hair:#2b313a;
--grid:#262b33;--off:#20252c;--c0:#6ea0ff;--c1:#f2a154;--c2:#41c492;--c3:#f0708a;--c4:#ab8cf5;--c5:#4cc3d4;
--c6:#cdb160;--c7:#9aa4b1;--h0:#1d2a3a;--h1:#1f3550;--h2:#204467;--h3:#23557f;--h4:#2b6a9b;--h5:#3a80b5;--h6:#5298ca;
--h7:#74b0da;--h8:#9dc9e8;--h9:#c9e3f5;--h10:#ff5f78}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:1060px;margin:0 auto;padding:40px 24px 64px}
h1{font-size:28px;line-height:1.2;margin:0 0 6px;letter-spacing:-.01em}
h2{font-size:19px;margin:44px 0 14px;letter-spacing:-.005em}
h3{font-size:15px;margin:0}
header p,figcaption p{color:var(--soft);margin:0}
figcaption{margin-bottom:8px}figcaption p{font-size:13px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:26px 0 0}
.tiles div,figure,.table{background:var(--card);border:1px solid var(--hair);border-radius:10px}
.tiles div{padding:14px 16px}
.tiles b{display:block;font-size:25px;line-height:1.2;font-weight:650;font-variant-numeric:tabular-nums}
.tiles span{color:var(--soft);font-size:13px;line-height:1.35;display:block;margin-top:4px}
figure{margin:0 0 14px;padding:16px 18px 12px}
.table{overflow-x:auto;padding:4px 8px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:14px}
th{color:var(--soft);font-weight:550;font-size:12.5px;vertical-align:bottom}
td,th{padding:8px 10px;text-align:right;border-bottom:1px solid var(--hair)}
tr:last-child td{border-bottom:0}td:first-child,th:first-child{text-align:left}td:first-child{font-weight:600;white-space:nowrap}
details{margin-top:14px}summary{cursor:pointer;color:var(--soft);margin-bottom:8px}
svg{display:block;width:100%;height:auto}
svg text{font-size:12px;fill:var(--soft)}svg text.name{fill:var(--ink);font-size:13px}
svg text.value{fill:var(--ink);font-size:13px;font-variant-numeric:tabular-nums}
.cell{shape-rendering:crispEdges}.grid{stroke:var(--grid)}.tick{stroke:var(--hair)}.mark{stroke:var(--ink);stroke-dasharray:3 3}
.span{stroke:var(--hair);stroke-width:4;stroke-linecap:round}
.line{fill:none;stroke-width:2;stroke-linejoin:round}.line.dash{stroke-dasharray:5 4;stroke-width:1.6}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:13px;color:var(--soft);margin:2px 0 6px}
.legend span{display:inline-flex;align-items:center;gap:6px}
.legend i{width:14px;height:10px;border-radius:3px;display:inline-block;background:currentColor}
.legend i.dash{height:0;border-top:2px dashed;border-radius:0;background:none}
.legend.heat{gap:0;align-items:center}.legend.heat i{width:22px;border-radius:0}
.legend.heat>span{margin:0 7px}.legend.heat>span i{width:14px;border-radius:3px}
footer{color:var(--soft);font-size:13px;margin-top:40px}
)";

// Colours of series and of parts, for lines, areas and legends.
std::string ColourRules() {
  std::string rules;
  for (size_t c = 0; c < kSeriesColours; ++c) {
    rules += fmt::format(".c{0}{{stroke:var(--c{0})}}.f{0}{{fill:var(--c{0});color:var(--c{0})}}", c);
  }
  for (size_t h = 0; h <= 10; ++h) rules += fmt::format(".h{0}{{fill:var(--h{0});color:var(--h{0})}}", h);
  return rules + ".off{fill:var(--off);color:var(--off)}";
}

}  // namespace

std::string WholePage(std::string_view title, std::string_view subtitle, const std::vector<Tile>& tiles,
                      const std::string& body) {
  std::string tiles_html;
  for (const Tile& tile : tiles) {
    tiles_html += fmt::format("<div><b>{}</b><span>{}</span></div>", Escape(tile.value), Escape(tile.name));
  }
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>{0}</title><style>{1}{2}</style></head>\n<body>"
      "<main><header><h1>{0}</h1><p>{3}</p></header><div class=\"tiles\">{4}</div>\n{5}"
      "<footer>Written by snug simulate.</footer></main></body></html>\n",
      Escape(title), kStyle, ColourRules(), Escape(subtitle), tiles_html, body);
}

std::string Section(std::string_view title, const std::string& body) {
  return fmt::format("<section><h2>{}</h2>{}</section>\n", Escape(title), body);
}

std::string TableHtml(const PageTable& table) {
  std::string html = "<div class=\"table\"><table><thead><tr>";
  for (const std::string& column : table.columns) html += "<th>" + Escape(column) + "</th>";
  html += "</tr></thead><tbody>";
  for (const auto& row : table.rows) {
    html += "<tr>";
    for (const std::string& cell : row) html += "<td>" + Escape(cell) + "</td>";
    html += "</tr>";
  }
  return html + "</tbody></table></div>\n";
}

std::string FoldedTable(std::string_view title, const PageTable& table) {
  return fmt::format("<details><summary>{}</summary>{}</details>\n", Escape(title), TableHtml(table));
}

}  // namespace snug::simulate
