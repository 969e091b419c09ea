//! A label as SVG: one path, its text beside it as text.

use std::fmt::Write as _;

use super::drawing::{CELL, DOTS_PER_MM, Drawing};

/// Font size whose monospaced characters are a cell wide.
const FONT: u32 = CELL * 5 / 3;

/// The whole file.
pub fn svg(drawing: &Drawing) -> String {
    let mm = |dots: u32| f64::from(dots) / f64::from(DOTS_PER_MM);
    let (width, height) = (drawing.width, drawing.height);
    let title: String = drawing.lines.iter().map(|line| escape(&line.text)).collect();
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}mm\" height=\"{}mm\" \
         viewBox=\"0 0 {width} {height}\">\n<title>{title}</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <path shape-rendering=\"crispEdges\" d=\"",
        mm(width),
        mm(height)
    );
    let cannot = "writing to memory cannot fail";
    for bar in &drawing.bars {
        let (x, y, w, h) = (bar.x, bar.y, bar.width, bar.height);
        write!(text, "M{x} {y}h{w}v{h}h-{w}z").expect(cannot);
    }
    text.push_str("\"/>\n");
    for line in &drawing.lines {
        let (x, y, length) = (line.x, line.y + CELL, line.text.len() as u32 * CELL);
        let content = escape(&line.text);
        writeln!(
            text,
            "<text x=\"{x}\" y=\"{y}\" font-family=\"monospace\" font-size=\"{FONT}\" \
             textLength=\"{length}\">{content}</text>"
        )
        .expect(cannot);
    }
    text.push_str("</svg>\n");
    text
}

/// A lot may hold any of these.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::drawing::{Bar, Line};
    use super::*;

    #[test]
    fn text_of_a_lot_stays_text() {
        let bars = vec![Bar { x: 16, y: 32, width: 8, height: 8 }];
        let lines = vec![Line { x: 0, y: 48, text: "(10)</text>\"&'".to_owned() }];
        let drawn = svg(&Drawing { width: 160, height: 88, bars, lines });
        assert!(drawn.contains("width=\"10mm\" height=\"5.5mm\" viewBox=\"0 0 160 88\""));
        assert!(drawn.contains("M16 32h8v8h-8z"));
        assert!(drawn.contains(">(10)&lt;/text&gt;&quot;&amp;&#39;</text>"));
    }
}
