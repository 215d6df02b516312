//! Graphs of what Prometheus knows, as one page without scripts. (Debian's Prometheus finds its own pages only where it is
//! installed, and these tests unpack it.)

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::Result;

use super::Prometheus;
use super::prometheus::Line;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 180.0;
/// Told apart by people who do not see red and green as others do.
const COLOURS: [&str; 8] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999933"];
const STYLE: &str = "body{font:14px sans-serif;margin:24px;width:950px}h2{font-size:15px;margin:18px 0 2px}\
                     code{color:#555;font-size:12px}svg{background:#f7f7f7;display:block;margin:4px 0}\
                     ul{margin:2px 0;padding:0;list-style:none;font-size:12px}li{display:inline-block;margin-right:16px}";

/// A graph: its title, what is asked, and the label that names its lines.
#[derive(Debug, Clone, Copy)]
pub struct Graph {
    pub title: &'static str,
    pub expression: &'static str,
    pub label: &'static str,
}

/// The page with these graphs of the last `span`.
pub async fn page(prometheus: &Prometheus, title: &str, graphs: &[Graph], span: Duration) -> Result<String> {
    let mut html = format!(
        "<!doctype html><meta charset=\"utf-8\"><title>{0}</title><style>{STYLE}</style><h1>{0}</h1>",
        escape(title)
    );
    for graph in graphs {
        let lines = prometheus.query_range(graph.expression, span).await?;
        write!(html, "<h2>{}</h2><code>{}</code>", escape(graph.title), escape(graph.expression))?;
        draw(&mut html, graph, &lines, span)?;
    }
    Ok(html)
}

#[allow(clippy::cast_precision_loss, reason = "times of this century")]
fn draw(html: &mut String, graph: &Graph, lines: &[Line], span: Duration) -> Result<()> {
    let points = || lines.iter().flat_map(|line| &line.points).filter(|(_, value)| value.is_finite());
    let top = points().map(|(_, value)| *value).fold(0.0, f64::max);
    // A line at the bottom is one, too.
    let top = if top > 0.0 { top * 1.1 } else { 1.0 };
    let end = jiff::Timestamp::now().as_second() as f64;
    let start = end - span.as_secs_f64();
    write!(html, "<svg width=\"{WIDTH}\" height=\"{HEIGHT}\"><text x=\"4\" y=\"14\" fill=\"#555\">{top:.3}</text>")?;
    let mut legend = String::new();
    // Lines that lie upon each other are drawn beside each other.
    let shifts = std::iter::successors(Some(0.0), |shift| Some(shift + 2.0));
    for ((line, colour), shift) in lines.iter().zip(COLOURS.iter().cycle()).zip(shifts) {
        let place = |(time, value): &(f64, f64)| {
            format!(
                "{:.1},{:.1}",
                (time - start) / span.as_secs_f64() * WIDTH,
                HEIGHT - 2.0 - value / top * (HEIGHT - 40.0) - shift
            )
        };
        let known: Vec<String> = line.points.iter().filter(|(_, value)| value.is_finite()).map(place).collect();
        write!(
            html,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>",
            known.join(" ")
        )?;
        let name = line.labels.get(graph.label).map_or("", String::as_str);
        write!(legend, "<li style=\"color:{colour}\">&#9632; {}</li>", escape(name))?;
    }
    write!(html, "</svg><ul>{legend}</ul>")?;
    Ok(())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
