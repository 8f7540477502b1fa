//! The results as a chart: one group of horizontal bars per workload, the base at 1.

use super::results::Results;
use super::table::figure;
use std::fmt::Write as _;

const WIDTH: f64 = 860.0;
const LABELS: f64 = 140.0;
const VALUES: f64 = 190.0;
const BAR: f64 = 14.0;
const GAP: f64 = 3.0;
const GROUP: f64 = 40.0;
/// Bars beyond this ratio are cut, their value is written.
const LONGEST_RATIO: f64 = 4.0;

/// Readable on a light and on a dark page.
const STYLE: &str = "<style>\
    text{font:12px system-ui,sans-serif;fill:#1f2328}.title{font-weight:600}.faint{fill:#656d76}\
    .base{fill:#0969da}.again{fill:#6cb6ff}.peer{fill:#9a6700}.relay{fill:#8250df}.rule{stroke:#0969da;stroke-dasharray:3 3}\
    @media (prefers-color-scheme:dark){text{fill:#e6edf3}.faint{fill:#8d96a0}.base{fill:#4493f8}.again{fill:#2f5f9e}\
    .peer{fill:#d29922}.relay{fill:#ab7df8}.rule{stroke:#4493f8}}</style>";

pub(crate) fn svg(results: &Results) -> String {
    let mut body = String::new();
    let mut top = 48.0;
    let base = results.base();
    let unit_width = (WIDTH - LABELS - VALUES) / LONGEST_RATIO;
    for (net, workload, title) in results.rows() {
        let _infallible = writeln!(body, r#"<text class="title" x="8" y="{:.0}">{title}, {net}</text>"#, top + 12.0);
        top += 20.0;
        let group_top = top;
        for proxy in &results.proxies {
            let Some(cell) = results.cell(net, workload, &proxy.name) else { continue };
            let class = match (proxy.name == base, proxy.is_peer) {
                (true, _) => "base",
                (false, true) => "peer",
                (false, false) if proxy.name.starts_with(base) => "again",
                (false, false) => "relay",
            };
            let (ratio, label) = match (results.ratio(cell), cell.median()) {
                (Some(ratio), Some(cost)) => (ratio, format!("{ratio:.2} ({} {})", figure(cost), cell.unit)),
                _invalid => (0.0, "invalid".to_owned()),
            };
            let width = (ratio.clamp(0.0, LONGEST_RATIO) * unit_width).max(1.0);
            let text_y = top + BAR - 3.0;
            let _infallible = writeln!(
                body,
                r#"<text x="8" y="{text_y:.0}">{}</text><rect class="{class}" x="{LABELS}" y="{top:.0}" width="{width:.1}" height="{BAR}" rx="2"/><text class="faint" x="{:.0}" y="{text_y:.0}">{label}</text>"#,
                proxy.name,
                LABELS + width + 6.0,
            );
            top += BAR + GAP;
        }
        let one = LABELS + unit_width;
        let _infallible = writeln!(
            body,
            r#"<line class="rule" x1="{one:.1}" x2="{one:.1}" y1="{group_top:.0}" y2="{:.0}"/>"#,
            top - GAP
        );
        top += GROUP - 20.0;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{top:.0}\" viewBox=\"0 0 {WIDTH} {top:.0}\">\n\
         {STYLE}\n<text class=\"title\" x=\"8\" y=\"20\">Proxy CPU per unit of work, {base} = 1 (idle: process memory); lower is better</text>\n\
         <text class=\"faint\" x=\"8\" y=\"36\">medians of {} interleaved runs of {} s</text>\n{body}</svg>\n",
        results.rounds, results.seconds
    )
}
