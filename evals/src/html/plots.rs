//! Plots for the reports, as SVG.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::curves::{Bin, Covered};

/// A plot could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("a plot could not be drawn: {0}")]
pub struct PlotError(String);

type Canvas<'s> = DrawingArea<SVGBackend<'s>, Shift>;

const INK: RGBColor = RGBColor(31, 41, 55);
const GRID: RGBColor = RGBColor(226, 232, 240);
const ACCENT: RGBColor = RGBColor(37, 99, 235);
const PALE: RGBColor = RGBColor(147, 180, 248);
const WARNING: RGBColor = RGBColor(220, 38, 38);
const FONT: &str = "sans-serif";

/// A share with its interval, for [`intervals`].
#[derive(Clone, Debug)]
pub(super) struct Interval {
    pub(super) name: String,
    pub(super) share: f64,
    pub(super) interval: [f64; 2],
    /// The share before a change.
    pub(super) before: Option<f64>,
}

fn draw(
    (width, height): (u32, u32),
    paint: impl FnOnce(&Canvas<'_>) -> Result<(), Box<dyn std::error::Error>>,
) -> Result<String, PlotError> {
    let mut svg = String::new();
    {
        let canvas = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
        paint(&canvas).map_err(|error| PlotError(error.to_string()))?;
        canvas
            .present()
            .map_err(|error| PlotError(error.to_string()))?;
    }
    Ok(svg)
}

fn text(size: u32) -> TextStyle<'static> {
    (FONT, size).into_font().color(&INK)
}

/// What was given (columns) of what was right (rows): the darker, the larger the share of its row.
pub(super) fn confusion(labels: &[String], counts: &[Vec<usize>]) -> Result<String, PlotError> {
    const NAMES: i32 = 150;
    const MOST_NUMBERED: usize = 40;
    let cell = (560 / labels.len().max(1)).clamp(14, 60) as i32;
    let side = NAMES + cell * labels.len() as i32;
    draw((side as u32 + 8, side as u32 + 8), |canvas| {
        let names = text((cell as u32 - 2).min(12));
        let to_the_left = names.pos(Pos::new(HPos::Right, VPos::Center));
        let upwards = names
            .transform(FontTransform::Rotate270)
            .pos(Pos::new(HPos::Left, VPos::Center));
        for (at, label) in labels.iter().enumerate() {
            let middle = NAMES + at as i32 * cell + cell / 2;
            canvas.draw(&Text::new(
                label.clone(),
                (NAMES - 6, middle),
                to_the_left.clone(),
            ))?;
            canvas.draw(&Text::new(
                label.clone(),
                (middle, NAMES - 6),
                upwards.clone(),
            ))?;
        }
        for (row, counts) in counts.iter().enumerate() {
            let whole = counts.iter().sum::<usize>().max(1) as f64;
            for (column, count) in counts.iter().enumerate() {
                let share = *count as f64 / whole;
                let hue = if row == column { ACCENT } else { WARNING };
                let (x, y) = (NAMES + column as i32 * cell, NAMES + row as i32 * cell);
                let corners = [(x, y), (x + cell, y + cell)];
                canvas.draw(&Rectangle::new(corners, hue.mix(share).filled()))?;
                canvas.draw(&Rectangle::new(corners, GRID.stroke_width(1)))?;
                if *count > 0 && labels.len() <= MOST_NUMBERED {
                    let ink = if share > 0.55 { WHITE } else { INK };
                    let style = text((cell as u32 * 3 / 5).min(14))
                        .color(&ink)
                        .pos(Pos::new(HPos::Center, VPos::Center));
                    let middle = (x + cell / 2, y + cell / 2);
                    canvas.draw(&Text::new(count.to_string(), middle, style))?;
                }
            }
        }
        Ok(())
    })
}

/// How often labels are right against how sure they were given: on the line, probabilities are true.
pub(super) fn reliability(bins: &[Bin]) -> Result<String, PlotError> {
    draw((420, 340), |canvas| {
        let mut chart = ChartBuilder::on(canvas)
            .margin(10)
            .x_label_area_size(36)
            .y_label_area_size(44)
            .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
        mesh(&mut chart, "probability given", "share right")?;
        let truth = [(0.0, 0.0), (1.0, 1.0)];
        chart.draw_series(LineSeries::new(truth, INK.mix(0.4).stroke_width(1)))?;
        let most = bins.iter().map(|bin| bin.messages).max().unwrap_or(1);
        let points = bins.iter().map(|bin| (bin.confidence, bin.accuracy));
        chart.draw_series(LineSeries::new(points, ACCENT.stroke_width(2)))?;
        chart.draw_series(bins.iter().map(|bin| {
            let size = 3.0 + 9.0 * (bin.messages as f64 / most as f64).sqrt();
            let place = (bin.confidence, bin.accuracy);
            Circle::new(place, size as i32, ACCENT.mix(0.6).filled())
        }))?;
        Ok(())
    })
}

/// How many of `values` are how large, up to where only one in a hundred is larger.
pub(super) fn distribution(values: &[f64], unit: &str) -> Result<String, PlotError> {
    const BARS: usize = 32;
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let most = sorted
        .get((sorted.len() * 99 / 100).min(sorted.len().saturating_sub(1)))
        .copied()
        .unwrap_or(1.0)
        .max(f64::MIN_POSITIVE);
    let mut counts = [0_usize; BARS];
    for value in &sorted {
        let bar = (value / most * BARS as f64) as usize;
        if let Some(count) = counts.get_mut(bar.min(BARS - 1)) {
            *count += 1;
        }
    }
    let highest = counts.iter().copied().max().unwrap_or(1).max(1);
    draw((420, 260), |canvas| {
        let mut chart = ChartBuilder::on(canvas)
            .margin(10)
            .x_label_area_size(36)
            .y_label_area_size(44)
            .build_cartesian_2d(0.0..most, 0.0..highest as f64 * 1.05)?;
        mesh(&mut chart, unit, "count")?;
        let width = most / BARS as f64;
        chart.draw_series(counts.iter().enumerate().map(|(bar, count)| {
            let corners = [
                (bar as f64 * width, 0.0),
                ((bar + 1) as f64 * width, *count as f64),
            ];
            Rectangle::new(corners, PALE.filled())
        }))?;
        Ok(())
    })
}

/// What share is answered, and what share answered wrongly, as the threshold rises.
pub(super) fn coverage(points: &[Covered], default: Option<f64>) -> Result<String, PlotError> {
    let most = points.iter().map(|point| point.wrong).fold(0.0, f64::max);
    draw((420, 340), |canvas| {
        let mut chart = ChartBuilder::on(canvas)
            .margin(10)
            .x_label_area_size(36)
            .y_label_area_size(52)
            .build_cartesian_2d(0.0..1.0, 0.0..(most * 1.1).max(0.02))?;
        mesh(&mut chart, "share answered", "share answered wrongly")?;
        let line = points.iter().map(|point| (point.answered, point.wrong));
        chart.draw_series(LineSeries::new(line, ACCENT.stroke_width(2)))?;
        let chosen = default.and_then(|default| {
            let far = |point: &&Covered| (point.threshold - default).abs();
            points.iter().min_by(|a, b| far(a).total_cmp(&far(b)))
        });
        chart.draw_series(chosen.map(|point| {
            let place = (point.answered, point.wrong);
            Circle::new(place, 5, WARNING.filled())
        }))?;
        Ok(())
    })
}

/// What share of the facts is kept as more tokens may be given; `set` is how it is.
pub(super) fn kept(points: &[(f64, f64)], set: Option<(f64, f64)>) -> Result<String, PlotError> {
    let most = points.iter().map(|point| point.0).fold(1.0, f64::max);
    draw((520, 340), |canvas| {
        let mut chart = ChartBuilder::on(canvas)
            .margin(10)
            .x_label_area_size(36)
            .y_label_area_size(44)
            .build_cartesian_2d(0.0..most * 1.05, 0.0..1.0)?;
        mesh(
            &mut chart,
            "tokens of facts, median",
            "share of turns with every fact",
        )?;
        let line = points.iter().copied();
        chart.draw_series(LineSeries::new(line, ACCENT.stroke_width(2)))?;
        let marks = points
            .iter()
            .map(|place| Circle::new(*place, 3, ACCENT.filled()));
        chart.draw_series(marks)?;
        chart.draw_series(set.map(|place| Circle::new(place, 5, WARNING.filled())))?;
        Ok(())
    })
}

/// Shares with their intervals, one below the other.
pub(super) fn intervals(rows: &[Interval]) -> Result<String, PlotError> {
    const ROW: i32 = 26;
    const NAMES: i32 = 170;
    const WIDTH: i32 = 620;
    let height = ROW * rows.len() as i32 + 30;
    draw((WIDTH as u32, height as u32), |canvas| {
        let x = |share: f64| NAMES + (share * f64::from(WIDTH - NAMES - 90)) as i32;
        let centred = text(11).pos(Pos::new(HPos::Center, VPos::Top));
        for tenth in 0..=5 {
            let at = x(f64::from(tenth) / 5.0);
            let line = [(at, 0), (at, height - 26)];
            canvas.draw(&PathElement::new(line, GRID.stroke_width(1)))?;
            let label = format!("{} %", tenth * 20);
            canvas.draw(&Text::new(label, (at, height - 20), centred.clone()))?;
        }
        let name = text(13).pos(Pos::new(HPos::Right, VPos::Center));
        let figure = text(12).pos(Pos::new(HPos::Left, VPos::Center));
        for (at, row) in rows.iter().enumerate() {
            let y = at as i32 * ROW + ROW / 2;
            let [low, high] = row.interval;
            canvas.draw(&Text::new(row.name.clone(), (NAMES - 12, y), name.clone()))?;
            let whole = [(x(low), y), (x(high), y)];
            canvas.draw(&PathElement::new(whole, PALE.stroke_width(6)))?;
            if let Some(before) = row.before {
                let at = [(x(before) - 1, y - 8), (x(before) + 1, y + 8)];
                canvas.draw(&Rectangle::new(at, INK.mix(0.5).filled()))?;
            }
            canvas.draw(&Circle::new((x(row.share), y), 5, ACCENT.filled()))?;
            let share = format!("{:.1} %", row.share * 100.0);
            canvas.draw(&Text::new(share, (x(1.0) + 16, y), figure.clone()))?;
        }
        Ok(())
    })
}

type Chart<'c, 's> = ChartContext<
    'c,
    SVGBackend<'s>,
    Cartesian2d<plotters::coord::types::RangedCoordf64, plotters::coord::types::RangedCoordf64>,
>;

fn mesh(chart: &mut Chart<'_, '_>, x: &str, y: &str) -> Result<(), Box<dyn std::error::Error>> {
    chart
        .configure_mesh()
        .x_desc(x)
        .y_desc(y)
        .axis_style(INK.mix(0.5))
        .bold_line_style(GRID)
        .light_line_style(TRANSPARENT)
        .label_style(text(12))
        .draw()?;
    Ok(())
}
