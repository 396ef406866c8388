//! Writes the few elements of SVG that the pictures need. Each picture has its own background, so that it
//! is readable on a light and on a dark page.

use std::fmt::{Display, Write as _};

pub const BACKGROUND: &str = "#161b22";
pub const BORDER: &str = "#3d444d";
pub const BRIGHT: &str = "#f0f6fc";
pub const PLAIN: &str = "#c9d1d9";
pub const DIM: &str = "#8b949e";
pub const GREEN: &str = "#3fb950";

pub const MONOSPACE: &str = "ui-monospace,SFMono-Regular,Menlo,Consolas,DejaVu Sans Mono,monospace";
pub const SANS: &str = "system-ui,Segoe UI,Helvetica,Arial,sans-serif";

/// A picture to which elements are added.
pub struct Svg {
    width: f64,
    height: f64,
    font: &'static str,
    title: String,
    body: String,
}

impl Svg {
    pub fn new(width: f64, height: f64, font: &'static str, title: &str) -> Self {
        Self {
            width,
            height,
            font,
            title: escape(title),
            body: String::new(),
        }
    }

    /// Adds an element with its name, attributes and text.
    fn add(&mut self, name: &str, attributes: &[(&str, &dyn Display)], text: &str) {
        let _ = write!(self.body, "<{name}");
        for (attribute, value) in attributes {
            let _ = write!(self.body, " {attribute}=\"{value}\"");
        }
        let _ = writeln!(self.body, ">{}</{name}>", escape(text));
    }

    /// Adds a line of text. The anchor of the style selects whether the text starts, ends or is centred at `(x, y)`.
    pub fn text(&mut self, (x, y): (f64, f64), style: Text, text: &str) {
        let (x, y) = (round(x), round(y));
        let attributes: [(&str, &dyn Display); 7] = [
            ("x", &x),
            ("y", &y),
            ("font-size", &style.size),
            ("font-weight", &if style.bold { 600 } else { 400 }),
            ("text-anchor", &style.anchor),
            ("fill", &style.color),
            ("xml:space", &"preserve"),
        ];
        self.add("text", &attributes, text);
    }

    pub fn line(&mut self, points: &[(f64, f64)], color: &str, width: f64, dashes: &str) {
        let points: Vec<String> = points
            .iter()
            .map(|(x, y)| format!("{},{}", round(*x), round(*y)))
            .collect();
        let attributes: [(&str, &dyn Display); 6] = [
            ("points", &points.join(" ")),
            ("fill", &"none"),
            ("stroke", &color),
            ("stroke-width", &width),
            ("stroke-dasharray", &dashes),
            ("stroke-linejoin", &"round"),
        ];
        self.add("polyline", &attributes, "");
    }

    pub fn dot(&mut self, (x, y): (f64, f64), radius: f64, fill: &str, stroke: &str) {
        let (x, y) = (round(x), round(y));
        let attributes: [(&str, &dyn Display); 6] = [
            ("cx", &x),
            ("cy", &y),
            ("r", &radius),
            ("fill", &fill),
            ("stroke", &stroke),
            ("stroke-width", &2),
        ];
        self.add("circle", &attributes, "");
    }

    pub fn finish(self) -> String {
        let Self {
            width,
            height,
            font,
            title,
            body,
        } = self;
        let (inner_width, inner_height) = (width - 1.0, height - 1.0);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"{font}\" role=\"img\">\n\
             <title>{title}</title>\n\
             <rect x=\"0.5\" y=\"0.5\" width=\"{inner_width}\" height=\"{inner_height}\" rx=\"8\" \
             fill=\"{BACKGROUND}\" stroke=\"{BORDER}\"/>\n{body}</svg>\n"
        )
    }
}

/// The style of a text.
#[derive(Clone, Copy)]
pub struct Text {
    pub size: f64,
    pub color: &'static str,
    pub bold: bool,
    /// The value of `text-anchor`: `start`, `middle` or `end`.
    pub anchor: &'static str,
}

impl Text {
    pub fn new(size: f64, color: &'static str) -> Self {
        Self {
            size,
            color,
            bold: false,
            anchor: "start",
        }
    }
}

/// Rounds a coordinate to a tenth of a pixel, which is precise enough.
fn round(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printed_text_is_not_markup() {
        let mut svg = Svg::new(10.0, 10.0, SANS, "<a>");
        svg.text((1.0, 2.04), Text::new(13.0, DIM), "a < b & c");
        let text = svg.finish();
        assert!(text.contains("<title>&lt;a&gt;</title>"), "{text}");
        assert!(
            text.contains("y=\"2\"") && text.contains(">a &lt; b &amp; c</text>"),
            "{text}"
        );
    }
}
