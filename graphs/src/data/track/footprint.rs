//! Footprints: the exact bird's-eye map of everything that stands on the course.
//!
//! The map is cut into strips of constant x. Every footprint is convex, so within a strip it covers
//! one interval of y, and the interval gives the marked cells without sampling.

use super::course::{Shape, Surroundings};

/// A square map, row by row along x; 1 marks a cell that a footprint meets.
#[derive(Debug)]
struct Grid {
    cells: Vec<f32>,
    size: usize,
    resolution_m: f64,
}

/// Draws all footprints into a new map of `size` x `size` cells with the ego vehicle in its middle.
pub(super) fn draw(around: &Surroundings, size: usize, resolution_m: f64) -> Vec<f32> {
    let mut grid = Grid { cells: vec![0.0; size * size], size, resolution_m };
    for &[start, end] in &around.walls {
        grid.mark([start[0].min(end[0]), start[0].max(end[0])], |strip| {
            clip_edge(start, end, strip)
        });
    }
    for solid in &around.solids {
        let [x, _] = solid.shape.centre();
        match solid.shape {
            Shape::Disc { centre, radius_m } => {
                grid.mark([x - radius_m, x + radius_m], |strip| clip_disc(centre, radius_m, strip));
            }
            Shape::Rectangle { centre, heading, half_m } => {
                let corners = corners(centre, heading, half_m);
                let low = corners.iter().map(|corner| corner[0]).fold(f64::INFINITY, f64::min);
                grid.mark([low, 2.0 * x - low], |strip| clip_polygon(&corners, strip));
            }
        }
    }
    grid.cells
}

impl Grid {
    /// Marks the cells of a footprint whose x lies in `extent`; `clip` cuts it to one strip.
    fn mark(&mut self, extent: [f64; 2], clip: impl Fn([f64; 2]) -> Option<[f64; 2]>) {
        for row in self.cells_between(extent) {
            let low = (row as f64 - self.size as f64 / 2.0) * self.resolution_m;
            let Some(interval) = clip([low, low + self.resolution_m]) else { continue };
            let columns = self.cells_between(interval);
            self.cells[row * self.size..][columns].fill(1.0);
        }
    }

    /// The indices, within the map, of the cells that meet a closed interval.
    fn cells_between(&self, [low, high]: [f64; 2]) -> std::ops::Range<usize> {
        let size = self.size as f64;
        let cell = |place: f64| (place / self.resolution_m + size / 2.0).floor();
        let start = cell(low).clamp(0.0, size) as usize;
        let end = (cell(high) + 1.0).clamp(0.0, size) as usize;
        start..end.max(start)
    }
}

/// The y-interval of an edge between two lines of constant x.
fn clip_edge(start: [f64; 2], end: [f64; 2], [low, high]: [f64; 2]) -> Option<[f64; 2]> {
    let (start, end) = if start[0] <= end[0] { (start, end) } else { (end, start) };
    if end[0] < low || start[0] > high {
        return None;
    }
    let at = |x: f64| {
        if x <= start[0] {
            start[1]
        } else if x >= end[0] {
            end[1]
        } else {
            start[1] + (end[1] - start[1]) * (x - start[0]) / (end[0] - start[0])
        }
    };
    let (first, second) = (at(low), at(high));
    // An upright edge lies in the strip as a whole.
    let (first, second) = if start[0] == end[0] { (start[1], end[1]) } else { (first, second) };
    Some([first.min(second), first.max(second)])
}

fn clip_polygon(corners: &[[f64; 2]; 4], strip: [f64; 2]) -> Option<[f64; 2]> {
    let edges =
        (0..4).filter_map(|index| clip_edge(corners[index], corners[(index + 1) % 4], strip));
    edges.reduce(|all, edge| [all[0].min(edge[0]), all[1].max(edge[1])])
}

fn clip_disc(centre: [f64; 2], radius_m: f64, [low, high]: [f64; 2]) -> Option<[f64; 2]> {
    let aside_m = centre[0].clamp(low, high) - centre[0];
    let square = radius_m * radius_m - aside_m * aside_m;
    (square >= 0.0).then(|| [centre[1] - square.sqrt(), centre[1] + square.sqrt()])
}

fn corners(centre: [f64; 2], heading: [f64; 2], half_m: [f64; 2]) -> [[f64; 2]; 4] {
    [[1.0, 1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, -1.0]].map(|[ahead, left]| {
        let (ahead_m, left_m) = (ahead * half_m[0], left * half_m[1]);
        [
            centre[0] + heading[0] * ahead_m - heading[1] * left_m,
            centre[1] + heading[1] * ahead_m + heading[0] * left_m,
        ]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::track::{Label, course::Solid};

    fn check(walls: Vec<[[f64; 2]; 2]>, shapes: &[Shape], expect: [&str; 4]) {
        let solid = |&shape| Solid { shape, top_m: 1.0, label: Label::Car };
        let solids = shapes.iter().map(solid).collect();
        let cells = draw(&Surroundings { walls, wall_top_m: 1.0, solids }, 4, 1.0);
        let text = |row: &[f32]| -> String {
            row.iter().map(|&cell| if cell > 0.0 { '#' } else { '.' }).collect()
        };
        let rows: Vec<String> = cells.chunks(4).map(text).collect();
        assert_eq!(rows, expect);
    }

    #[test]
    fn footprints_mark_exactly_the_cells_they_meet() {
        check(vec![[[-1.5, -1.5], [1.5, 1.4]]], &[], ["#...", "##..", ".##.", "..##"]);
        check(vec![[[0.5, -9.0], [0.5, 9.0]]], &[], ["....", "....", "####", "...."]);
        check(vec![[[9.0, 9.0], [8.0, 9.0]]], &[], ["....", "....", "....", "...."]);
        let disc = Shape::Disc { centre: [0.5, 0.5], radius_m: 0.6 };
        check(vec![], &[disc], ["....", "..#.", ".###", "..#."]);
        let upright =
            Shape::Rectangle { centre: [-0.5, 0.5], heading: [0.0, 1.0], half_m: [1.2, 0.3] };
        check(vec![], &[upright], ["....", ".###", "....", "...."]);
        let tilted =
            Shape::Rectangle { centre: [0.0, 0.0], heading: [0.6, 0.8], half_m: [2.0, 0.1] };
        check(vec![], &[tilted], ["#...", "###.", ".###", "...#"]);
    }
}
