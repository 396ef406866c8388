//! Draws the mean delay until a program receives a reply, for different numbers of sessions with one API key. Each of
//! four polling policies has a curve. One panel shows sessions that start together, and the other panel shows sessions
//! that start one by one. Both axes are logarithmic.

use serde::Deserialize;

use super::svg::{BORDER, BRIGHT, DIM, PLAIN, SANS, Svg, Text};

/// One line of JSON that `cargo bench -p blocks-sdk --bench fleet -- --json` prints.
#[derive(Debug, Deserialize)]
pub struct Row {
    policy: String,
    arrival: String,
    n: f64,
    completed: f64,
    failed: f64,
    mean_delay_s: f64,
}

/// A polling policy, and the style of its curve. Where two curves overlap, the visible curve is that of the policy
/// which is later in [`POLICIES`].
struct Policy {
    name: &'static str,
    label: &'static str,
    color: &'static str,
    width: f64,
    dashes: &'static str,
}

const POLICIES: [Policy; 4] = [
    policy(
        "fixed",
        "each session every 5 s, five tries",
        "#ff7b72",
        2.5,
        "",
    ),
    policy("age", "interval in proportion to age", "#d2a8ff", 2.5, ""),
    policy("ours", "blocks-sdk", "#58a6ff", 5.0, ""),
    policy(
        "greedy",
        "for comparison: how long agents take is known",
        "#e3b341",
        1.8,
        "3 4",
    ),
];

const fn policy(
    name: &'static str,
    label: &'static str,
    color: &'static str,
    width: f64,
    dashes: &'static str,
) -> Policy {
    Policy {
        name,
        label,
        color,
        width,
        dashes,
    }
}

const WIDTH: f64 = 820.0;
const HEIGHT: f64 = 420.0;
const PANEL: (f64, f64) = (322.0, 230.0);
const LEFT: [f64; 2] = [62.0, 472.0];
const TOP: f64 = 84.0;
const SESSIONS: [f64; 6] = [1.0, 8.0, 20.0, 50.0, 200.0, 1000.0];
const SECONDS: [f64; 4] = [1.0, 10.0, 100.0, 1000.0];
/// The largest value on both axes: 1000 sessions, and 1000 seconds.
const MOST: f64 = 1000.0;
/// The smallest value on the axis of delays, in seconds.
const LEAST: f64 = 0.5;

/// Parses the rows of the benchmark's output. Lines that do not start with `{` are ignored.
///
/// # Errors
/// Fails if a row cannot be parsed, or if there is no row.
pub fn rows(text: &str) -> Result<Vec<Row>, String> {
    let lines = text.lines().filter(|line| line.starts_with('{'));
    let rows = lines.map(|line| serde_json::from_str(line).map_err(|e| format!("{line}: {e}")));
    let rows: Vec<Row> = rows.collect::<Result<_, _>>()?;
    if rows.is_empty() {
        return Err("the benchmark printed no rows".into());
    }
    Ok(rows)
}

/// Draws the figure.
pub fn draw(rows: &[Row]) -> String {
    let title = "Mean delay until a reply is known, by sessions on one key";
    let mut svg = Svg::new(WIDTH, HEIGHT, SANS, title);
    let head = Text {
        bold: true,
        ..Text::new(16.0, BRIGHT)
    };
    svg.text((20.0, 30.0), head, title);
    let note = "100 requests a minute, enforced. Ring: some replies were lost. Cross: all were.";
    svg.text((20.0, 50.0), Text::new(12.0, DIM), note);
    let arrivals = [("burst", "all sessions together"), ("spread", "one by one")];
    for ((arrival, heading), left) in arrivals.into_iter().zip(LEFT) {
        axes(&mut svg, left, heading);
        for policy in &POLICIES {
            let own = rows
                .iter()
                .filter(|row| row.arrival == arrival && row.policy == policy.name);
            curve(&mut svg, left, policy, own);
        }
    }
    legend(&mut svg);
    svg.finish()
}

fn across(left: f64, sessions: f64) -> f64 {
    left + PANEL.0 * sessions.ln() / MOST.ln()
}

fn up(seconds: f64) -> f64 {
    let share = (seconds.max(LEAST) / LEAST).ln() / (MOST / LEAST).ln();
    TOP + PANEL.1 * (1.0 - share)
}

fn axes(svg: &mut Svg, left: f64, heading: &str) {
    let label = Text::new(12.0, PLAIN);
    let (right, bottom) = (left + PANEL.0, TOP + PANEL.1);
    svg.text((left, TOP - 12.0), label, heading);
    for seconds in SECONDS {
        let y = up(seconds);
        svg.line(&[(left, y), (right, y)], BORDER, 1.0, "");
        let end = Text {
            anchor: "end",
            ..label
        };
        svg.text((left - 7.0, y + 4.0), end, &format!("{seconds} s"));
    }
    let middle = Text {
        anchor: "middle",
        ..label
    };
    for sessions in SESSIONS {
        let x = across(left, sessions);
        svg.line(&[(x, bottom), (x, bottom + 5.0)], DIM, 1.0, "");
        svg.text((x, bottom + 19.0), middle, &sessions.to_string());
    }
    svg.line(&[(left, bottom), (right, bottom)], DIM, 1.0, "");
    svg.text(((left + right) / 2.0, bottom + 38.0), middle, "sessions");
}

fn curve<'a>(svg: &mut Svg, left: f64, policy: &Policy, rows: impl Iterator<Item = &'a Row>) {
    let mut rows: Vec<&Row> = rows.collect();
    rows.sort_by(|a, b| a.n.total_cmp(&b.n));
    let point = |row: &Row| (across(left, row.n), up(row.mean_delay_s));
    let some = |row: &&&Row| row.completed > 0.0;
    let points: Vec<_> = rows.iter().filter(some).map(|row| point(row)).collect();
    svg.line(&points, policy.color, policy.width, policy.dashes);
    let mut before = 0.0;
    for row in rows {
        let (x, y) = point(row);
        // The label is on the left of the point. It is below the curve if the curve falls to this point, and above the
        // curve otherwise, so that the label and the curve do not overlap.
        let label = if before > row.mean_delay_s {
            20.0
        } else {
            -11.0
        };
        before = row.mean_delay_s;
        if row.completed == 0.0 {
            let y = up(MOST);
            for slope in [4.5, -4.5] {
                let ends = [(x - 4.5, y - slope), (x + 4.5, y + slope)];
                svg.line(&ends, policy.color, 2.5, "");
            }
        } else if row.failed > 0.0 {
            svg.dot((x, y), 5.0, super::svg::BACKGROUND, policy.color);
            let lost = row.failed / (row.completed + row.failed) * 100.0;
            let style = Text {
                anchor: "end",
                ..Text::new(11.0, policy.color)
            };
            svg.text((x + 6.0, y + label), style, &format!("{lost:.0} % lost"));
        } else {
            svg.dot((x, y), policy.width.min(3.0), policy.color, policy.color);
        }
    }
}

fn legend(svg: &mut Svg) {
    for (number, policy) in POLICIES.iter().enumerate() {
        let x = LEFT[number % 2];
        let y = HEIGHT - 42.0 + 22.0 * (number / 2) as f64;
        svg.line(
            &[(x, y - 4.0), (x + 28.0, y - 4.0)],
            policy.color,
            policy.width,
            policy.dashes,
        );
        svg.text((x + 38.0, y), Text::new(12.0, PLAIN), policy.label);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_fill_the_panel_and_rows_are_read() {
        assert_eq!(across(10.0, 1.0), 10.0);
        assert!((across(0.0, 1000.0) - PANEL.0).abs() < 1e-9);
        assert_eq!(up(MOST), TOP);
        assert_eq!(up(0.0), TOP + PANEL.1);
        let text = r#"ours, 1: at most 30
{"policy": "ours", "arrival": "burst", "n": 8, "completed": 8, "failed": 0, "mean_delay_s": 1.5, "p95_delay_s": 2}"#;
        assert_eq!(rows(text).unwrap().len(), 1);
        assert!(rows("").is_err());
        assert!(draw(&rows(text).unwrap()).contains("blocks-sdk"));
    }
}
