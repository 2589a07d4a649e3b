//! Plots as SVG.

use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// Families with Chinese glyphs on Linux, macOS and Windows, then whatever there is.
const FONTS: &str =
    "Noto Sans CJK SC, Source Han Sans SC, PingFang SC, Microsoft YaHei, Arial, sans-serif";
const SIZE: (u32, u32) = (800, 450);
const COLORS: [RGBColor; 6] = [
    RGBColor(31, 119, 180),
    RGBColor(255, 127, 14),
    RGBColor(44, 160, 44),
    RGBColor(214, 39, 40),
    RGBColor(148, 103, 189),
    RGBColor(140, 86, 75),
];
const GRID: RGBColor = RGBColor(225, 225, 225);

/// How an axis counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scale {
    /// Equal steps.
    #[default]
    Linear,
    /// Equal factors. Only values above 0 are drawn.
    Log,
}

/// A named line.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What the legend says.
    pub name: String,
    /// Points in the order in which they are joined.
    pub points: Vec<(f64, f64)>,
}

fn font(size: u32) -> TextStyle<'static> {
    (FONTS, size).into_font().color(&BLACK)
}

/// Drawing into a string cannot fail but by a plot without extent, which the callers rule out; the
/// picture drawn so far is returned in any case.
fn draw(
    title: &str,
    size: (u32, u32),
    paint: impl FnOnce(&Canvas<'_>) -> Result<(), PlotError>,
) -> String {
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
        let painted = (|| {
            root.fill(&WHITE)?;
            let centred = font(20).pos(Pos::new(HPos::Center, VPos::Top));
            root.draw_text(&visible(title), &centred, (size.0 as i32 / 2, 10))?;
            paint(&root)?;
            root.present()
        })();
        if let Err(error) = painted {
            tracing::warn!(%error, "a plot is incomplete");
        }
    }
    svg
}

type Canvas<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;
type PlotError = DrawingAreaErrorKind<std::io::Error>;

/// XML has no control characters, not even escaped.
fn visible(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') { ' ' } else { c })
        .collect()
}

/// A histogram of values, with `n_bins` bins (at least 1) of equal width or equal factor.
///
/// ```
/// use puyu_dataset::report::{Scale, histogram};
///
/// let svg = histogram("文档长度 (document length)", &[3.0, 30.0, 300.0, 310.0], 4, Scale::Log);
/// assert!(svg.starts_with("<svg") && svg.contains("文档长度"));
/// ```
pub fn histogram(title: &str, values: &[f64], n_bins: usize, scale: Scale) -> String {
    let to = |value: f64| if scale == Scale::Log { value.log10() } else { value };
    let usable = |value: &f64| value.is_finite() && (scale == Scale::Linear || *value > 0.0);
    let values: Vec<f64> = values.iter().copied().filter(usable).map(to).collect();
    let n_bins = n_bins.clamp(1, 1000);
    let (low, high) = extent(values.iter().copied());
    let step = (high - low) / n_bins as f64;
    let mut counts = vec![0_u64; n_bins];
    for value in values {
        counts[(((value - low) / step) as usize).min(n_bins - 1)] += 1;
    }
    let most = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    draw(title, SIZE, |root| {
        let mut chart = chart(root, low..high, 0.0..most * 1.05, scale)?;
        chart.draw_series(counts.iter().enumerate().map(|(bin, count)| {
            let left = low + step * bin as f64;
            let corners = [(left, 0.0), (left + step, *count as f64)];
            let mut bar = Rectangle::new(corners, COLORS[0].filled());
            bar.set_margin(0, 0, 1, 1);
            bar
        }))?;
        Ok(())
    })
}

/// Horizontal bars with their value behind them, first row on top: retention per step.
///
/// ```
/// use puyu_dataset::report::bars;
///
/// let svg = bars("保留率", "%", &[("提取".to_owned(), 100.0), ("规则 & rules".to_owned(), 44.7)]);
/// assert!(svg.contains("44.7 %") && svg.contains("规则 &amp; rules"));
/// ```
pub fn bars(title: &str, unit: &str, rows: &[(String, f64)]) -> String {
    const ROW: i32 = 30;
    const TOP: i32 = 50;
    let label = |text: &str| super::table::width(text) as i32 * 8;
    let left = rows.iter().map(|(name, _)| label(name)).max().unwrap_or(0).clamp(40, 360) + 20;
    let room = f64::from(SIZE.0 as i32 - left - 120);
    let finite = |value: f64| if value.is_finite() { value.max(0.0) } else { 0.0 };
    let most = rows.iter().map(|(_, value)| finite(*value)).fold(f64::MIN_POSITIVE, f64::max);
    let height = TOP + ROW * i32::try_from(rows.len().min(10_000)).unwrap_or(1) + 20;
    draw(title, (SIZE.0, height.unsigned_abs()), |root| {
        for ((name, value), row) in rows.iter().zip(0..10_000) {
            let top = TOP + ROW * row;
            let right = left + (room * (finite(*value) / most)).round() as i32;
            root.draw(&Rectangle::new([(left, top), (right, top + ROW - 8)], COLORS[0].filled()))?;
            let middle = top + (ROW - 8) / 2;
            let before = font(14).pos(Pos::new(HPos::Right, VPos::Center));
            root.draw_text(&visible(name), &before, (left - 8, middle))?;
            let after = font(14).pos(Pos::new(HPos::Left, VPos::Center));
            root.draw_text(
                &visible(&format!("{} {unit}", short(*value))),
                &after,
                (right + 6, middle),
            )?;
        }
        Ok(())
    })
}

/// Lines over a common axis, with a legend. Points that are not finite are left out.
///
/// ```
/// use puyu_dataset::report::{Scale, Series, lines};
///
/// let loss = Series { name: "损失".to_owned(), points: vec![(1.0, 4.0), (10.0, 3.2), (100.0, 2.7)] };
/// assert!(lines("训练 training", &[loss], Scale::Log).contains("损失"));
/// ```
pub fn lines(title: &str, series: &[Series], scale: Scale) -> String {
    let to = |x: f64| if scale == Scale::Log { x.log10() } else { x };
    let points = |one: &Series| -> Vec<(f64, f64)> {
        let points = one.points.iter().map(|(x, y)| (to(*x), *y));
        points.filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
    };
    let all: Vec<Vec<(f64, f64)>> = series.iter().map(points).collect();
    let (left, right) = extent(all.iter().flatten().map(|point| point.0));
    let (low, high) = extent(all.iter().flatten().map(|point| point.1));
    draw(title, SIZE, |root| {
        let mut chart = chart(root, left..right, low..high, scale)?;
        for (points, color) in all.iter().zip(COLORS.iter().cycle()) {
            chart.draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?;
        }
        for ((one, color), row) in series.iter().zip(COLORS.iter().cycle()).zip(0..20) {
            let top = 46 + 18 * row;
            root.draw(&Rectangle::new([(620, top), (640, top + 4)], color.filled()))?;
            let style = font(13).pos(Pos::new(HPos::Left, VPos::Center));
            root.draw_text(&visible(&one.name), &style, (646, top + 2))?;
        }
        Ok(())
    })
}

/// The smallest range with an inside that holds all values.
fn extent(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    });
    match (low.is_finite(), high > low) {
        (false, _) => (0.0, 1.0),
        (true, true) => (low, high),
        (true, false) => (low - 0.5, low + 0.5),
    }
}

type Plane =
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>;

/// Axes and grid.
fn chart<'a>(
    root: &Canvas<'a>,
    x: std::ops::Range<f64>,
    y: std::ops::Range<f64>,
    scale: Scale,
) -> Result<ChartContext<'a, SVGBackend<'a>, Plane>, PlotError> {
    let mut chart = ChartBuilder::on(root)
        .margin(16)
        .margin_top(44)
        .x_label_area_size(30)
        .y_label_area_size(64)
        .build_cartesian_2d(x, y)?;
    let x_label = |value: &f64| match scale {
        Scale::Linear => short(*value),
        Scale::Log => short(10_f64.powf(*value)),
    };
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(GRID)
        .label_style(font(13))
        .x_label_formatter(&x_label)
        .y_label_formatter(&|value| short(*value))
        .draw()?;
    Ok(chart)
}

/// Three significant figures with a unit letter: `1.25k`, `44.7`, `0.002`.
fn short(value: f64) -> String {
    let (scaled, letter) = match value.abs() {
        v if v >= 1e12 => (value / 1e12, "T"),
        v if v >= 1e9 => (value / 1e9, "G"),
        v if v >= 1e6 => (value / 1e6, "M"),
        v if v >= 1e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let decimals = match scaled.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 || v == 0.0 => 2,
        _ => 3,
    };
    let text = format!("{scaled:.decimals$}");
    let text =
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{letter}")
}
