//! Charts as SVG: where each mark is, in the units of its `viewBox`. Templates draw them, the style sheet colours them.

use askama::{Template, filters::Safe};

/// Part of a column of bars that stays empty.
const GAP: f64 = 0.2;
/// Height of the least bar that is not nothing, so that it can be seen.
const LEAST: f64 = 1.5;

/// Bars from left to right.
#[derive(Debug, Clone, PartialEq, Template)]
#[template(path = "bars.html")]
pub(in crate::http) struct Bars {
    width: u32,
    height: u32,
    marks: Vec<Bar>,
    /// From the lower to the upper bound of each bar that has any.
    bounds: Vec<Whisker>,
    /// What the chart shows, for those who do not see it.
    label: String,
}

#[derive(Debug, Clone, PartialEq)]
struct Bar {
    x: String,
    y: String,
    width: String,
    height: String,
    /// What is shown when it is pointed at.
    title: String,
}

/// The bounds of a bar, as a line in its middle.
#[derive(Debug, Clone, PartialEq)]
struct Whisker {
    x: String,
    from: String,
    to: String,
}

/// The height of a bar with its bounds, and its words. Without bounds: nothing is known, and no bar is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::http) struct Bounded {
    pub(in crate::http) value: f64,
    pub(in crate::http) bounds: Option<(f64, f64)>,
    pub(in crate::http) words: String,
}

impl Bars {
    /// For a template. Its own has escaped what it shows.
    pub(in crate::http) fn svg(&self) -> Safe<&Self> {
        Safe(self)
    }

    /// Bars of these heights, the highest as high as the chart, each with its words. A chart `width` by `height`.
    pub(in crate::http) fn new((width, height): (u32, u32), values: &[(u64, String)], label: String) -> Self {
        let most = values.iter().map(|(value, _)| *value).max().unwrap_or(0);
        let column = f64::from(width) / real(values.len().max(1) as u64);
        let marks = values.iter().enumerate().filter(|(_, (value, _))| *value > 0);
        let marks = marks.map(|(place, (value, title))| {
            let tall = (real(*value) / real(most) * f64::from(height)).max(LEAST);
            Bar {
                x: number(column * real(place as u64)),
                y: number(f64::from(height) - tall),
                width: number(column * (1.0 - GAP)),
                height: number(tall),
                title: title.clone(),
            }
        });
        Self {
            width,
            height,
            marks: marks.collect(),
            bounds: Vec::new(),
            label,
        }
    }

    /// Bars with their bounds, on an axis from 0 to `end`. What is beyond it is cut off.
    pub(in crate::http) fn bounded(
        (width, height): (u32, u32),
        values: &[Bounded],
        end: f64,
        label: String,
    ) -> Self {
        let column = f64::from(width) / real(values.len().max(1) as u64);
        let tall = |value: f64| (value / end).clamp(0.0, 1.0) * f64::from(height);
        let (mut marks, mut bounds) = (Vec::new(), Vec::new());
        for (place, bar) in values.iter().enumerate() {
            let Some((low, high)) = bar.bounds.filter(|_| end > 0.0) else {
                continue;
            };
            let x = column * real(place as u64);
            let height = f64::from(height);
            let of_bar = tall(bar.value).max(LEAST);
            marks.push(Bar {
                x: number(x),
                y: number(height - of_bar),
                width: number(column * (1.0 - GAP)),
                height: number(of_bar),
                title: bar.words.clone(),
            });
            bounds.push(Whisker {
                x: number(x + column * (1.0 - GAP) / 2.0),
                from: number(height - tall(low)),
                to: number(height - tall(high)),
            });
        }
        Self {
            width,
            height,
            marks,
            bounds,
            label,
        }
    }
}

/// An estimate between its bounds, on an axis that several share.
#[derive(Debug, Clone, PartialEq, Template)]
#[template(path = "range.html")]
pub(in crate::http) struct Range {
    from: String,
    length: String,
    at: String,
    /// The upper bound is beyond the axis.
    open: bool,
}

impl Range {
    /// For a template. Its own has escaped what it shows.
    pub(in crate::http) fn svg(&self) -> Safe<&Self> {
        Safe(self)
    }

    /// Units of the axis.
    const AXIS: f64 = 100.0;

    /// On an axis from 0 to `end`.
    pub(in crate::http) fn new(low: f64, estimate: f64, high: Option<f64>, end: f64) -> Self {
        let place = |value: f64| {
            if end > 0.0 {
                (value / end).clamp(0.0, 1.0) * Self::AXIS
            } else {
                0.0
            }
        };
        let high = high.unwrap_or(f64::INFINITY);
        Self {
            from: number(place(low)),
            length: number(place(high) - place(low)),
            at: number(place(estimate)),
            open: high > end,
        }
    }
}

/// A part of a whole, from left to right.
#[derive(Debug, Clone, PartialEq, Template)]
#[template(path = "share.html")]
pub(in crate::http) struct Share {
    width: String,
}

impl Share {
    /// For a template. Its own has escaped what it shows.
    pub(in crate::http) fn svg(&self) -> Safe<&Self> {
        Safe(self)
    }

    /// `part` of `whole`; of nothing, nothing.
    pub(in crate::http) fn new(part: u64, whole: u64) -> Self {
        Self {
            width: number(percent(part, whole)),
        }
    }
}

/// How much `part` is of `whole`, 0 to 100; of nothing, 0.
pub(super) fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        (real(part) / real(whole)).min(1.0) * 100.0
    }
}

/// As short as SVG needs it.
fn number(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[expect(clippy::cast_precision_loss, reason = "a chart has a thousand units")]
fn real(value: u64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_bar_fills_the_chart_and_the_least_can_be_seen() {
        let values = [
            (0, "none".to_owned()),
            (1, "one".to_owned()),
            (1000, "many".to_owned()),
        ];
        let svg = Bars::new((90, 20), &values, "three days".to_owned())
            .render()
            .unwrap();
        assert_eq!(svg.matches("<rect").count(), 2, "nothing is no bar: {svg}");
        assert!(
            svg.contains(r#"<rect x="30" y="18.5" width="24" height="1.5"><title>one</title>"#),
            "{svg}"
        );
        assert!(
            svg.contains(r#"<rect x="60" y="0" width="24" height="20"><title>many</title>"#),
            "{svg}"
        );
        assert!(svg.contains(r#"aria-label="three days""#));
        assert!(
            !Bars::new((90, 20), &[], String::new())
                .render()
                .unwrap()
                .contains("NaN")
        );
    }

    #[test]
    fn bounds_are_on_the_axis_of_their_bars() {
        let bar = |value, bounds| Bounded {
            value,
            bounds,
            words: "words".to_owned(),
        };
        let values = [
            bar(2.0, Some((1.0, 3.0))),
            bar(9.0, None),
            bar(0.0, Some((0.0, 8.0))),
        ];
        let bars = Bars::bounded((90, 20), &values, 4.0, String::new());
        let heights: Vec<(&str, &str)> = bars
            .marks
            .iter()
            .map(|mark| (mark.y.as_str(), mark.height.as_str()))
            .collect();
        assert_eq!(
            heights,
            [("10", "10"), ("18.5", "1.5")],
            "nothing is known of the second"
        );
        let bounds: Vec<[&str; 3]> = bars
            .bounds
            .iter()
            .map(|line| [&line.x, &line.from, &line.to].map(String::as_str))
            .collect();
        assert_eq!(bounds, [["12", "15", "5"], ["72", "20", "0"]]);
        assert_eq!(
            Bars::bounded((90, 20), &values, 0.0, String::new()).marks,
            Vec::new()
        );
    }

    #[test]
    fn a_share_is_no_more_than_all() {
        let width = |part, whole| Share::new(part, whole).width;
        assert_eq!([width(1, 4), width(5, 4), width(1, 0)], ["25", "100", "0"]);
    }

    #[test]
    fn a_range_stays_on_its_axis() {
        let range = Range::new(1.0, 2.0, Some(3.0), 4.0);
        assert_eq!(
            (range.from.as_str(), range.length.as_str(), range.at.as_str()),
            ("25", "50", "50")
        );
        assert!(!range.open);
        assert!(Range::new(1.0, 2.0, None, 4.0).open);
        let nothing = Range::new(0.0, 0.0, None, 0.0);
        assert_eq!((nothing.from.as_str(), nothing.length.as_str()), ("0", "0"));
    }
}
