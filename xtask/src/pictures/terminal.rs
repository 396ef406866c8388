//! Draws a terminal session. Typed commands, standard output and standard error look different.

use super::record::{Line, Source};
use super::svg::{BRIGHT, DIM, GREEN, MONOSPACE, PLAIN, Svg, Text};

const COLUMNS: usize = 96;
const SIZE: f64 = 13.0;
const COLUMN: f64 = SIZE * 0.602;
const ROW: f64 = 19.0;
const MARGIN: f64 = 18.0;
const HEAD: f64 = 40.0;

/// Draws the lines of a terminal session.
pub fn draw(title: &str, lines: &[Line]) -> String {
    let rows: Vec<(Source, bool, String)> = lines.iter().flat_map(rows).collect();
    let width = (COLUMNS as f64 * COLUMN + 2.0 * MARGIN).ceil();
    let height = HEAD + rows.len() as f64 * ROW + MARGIN;
    let mut svg = Svg::new(width, height, MONOSPACE, title);
    let small = Text::new(11.0, DIM);
    svg.text((MARGIN, 24.0), small, title);
    let end = Text {
        anchor: "end",
        ..small
    };
    svg.text(
        (width - MARGIN, 24.0),
        end,
        "white: standard output, grey: standard error",
    );
    for (number, (source, first, text)) in rows.iter().enumerate() {
        let y = HEAD + (number as f64 + 0.8) * ROW;
        let (color, bold) = match source {
            Source::Typed => (BRIGHT, true),
            Source::Output => (PLAIN, false),
            Source::Error => (DIM, false),
        };
        let mut x = MARGIN;
        if *source == Source::Typed {
            if *first {
                svg.text((x, y), Text::new(SIZE, GREEN), "$");
            }
            x += 2.0 * COLUMN;
        }
        let style = Text {
            bold,
            ..Text::new(SIZE, color)
        };
        svg.text((x, y), style, text);
    }
    svg.finish()
}

/// Splits a line into rows of the picture's width. The `bool` of a row is true for the first row of the line.
fn rows(line: &Line) -> Vec<(Source, bool, String)> {
    let columns = match line.source {
        Source::Typed => COLUMNS - 2,
        _ => COLUMNS,
    };
    let chars: Vec<char> = line.text.chars().collect();
    let mut pieces: Vec<String> = chars.chunks(columns).map(|c| c.iter().collect()).collect();
    if pieces.is_empty() {
        pieces.push(String::new());
    }
    let numbered = pieces.into_iter().enumerate();
    numbered
        .map(|(n, text)| (line.source, n == 0, text))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_and_empty_lines_take_rows() {
        let line = |text: String| Line {
            source: Source::Output,
            text,
        };
        assert_eq!(rows(&line("é".repeat(COLUMNS + 1))).len(), 2);
        assert_eq!(rows(&line(String::new())).len(), 1);
    }
}
