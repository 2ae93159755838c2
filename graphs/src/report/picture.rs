//! Pictures of results: maps, point clouds and panels with captions, written as PNG files.
//!
//! A picture is evidence, so nothing in it is silent: the range of values that a colour stands for
//! is chosen by the caller and returned, values that are not numbers have a colour of their own and
//! are counted, and a file is written whole or not at all. The same data give the same bytes.

mod cloud;
mod colour;
mod font;
mod map;

pub use cloud::{CloudView, Colouring, draw_cloud};
pub use colour::{Colour, ColourMap, NAN_COLOUR};
pub use map::{Drawn, Map, Orientation, Range, draw_map, scale_bar};

use std::{
    io,
    path::{Path, PathBuf},
};

use thiserror::Error;

use colour::{BACKGROUND, TEXT};

use crate::atomic;

/// The greatest width or height of a picture, in pixels.
pub const SIDE_MAX: usize = 16_384;
/// Space around and between panels, in pixels.
const GUTTER: usize = 12;
/// Captions are written with pixels of this size.
const CAPTION_SCALE: usize = 2;

/// A rectangle of pixels; (0, 0) is the top left corner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    width: usize,
    height: usize,
    pixels: Vec<Colour>,
}

/// How text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ink {
    /// Colour of the letters; what is between them is left as it is.
    pub colour: Colour,
    /// Size of a letter's pixel, at least 1; a letter takes 6 by 10 of them.
    pub scale: usize,
}

/// A picture with a caption above it; the caption may have several lines.
#[derive(Debug, Clone, Copy)]
pub struct Panel<'a> {
    /// What the picture shows.
    pub caption: &'a str,
    /// The picture.
    pub picture: &'a Picture,
}

impl Picture {
    /// A picture of one colour.
    ///
    /// # Panics
    /// A side is 0 or greater than [`SIDE_MAX`].
    #[must_use]
    pub fn filled(width: usize, height: usize, colour: Colour) -> Self {
        for side in [width, height] {
            assert!((1..=SIDE_MAX).contains(&side), "a side of {side} pixels is not drawn");
        }
        Self { width, height, pixels: vec![colour; width * height] }
    }

    /// Pixels in a row.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Pixels in a column.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The rows, from the top.
    pub fn rows(&self) -> impl Iterator<Item = &[Colour]> {
        self.pixels.chunks_exact(self.width)
    }

    /// Fills a box; what lies outside of the picture is cut off.
    pub fn fill(&mut self, corner: [i32; 2], size: [usize; 2], colour: Colour) {
        let span = |start: i32, size: usize, side: usize| {
            let end = i64::from(start).saturating_add_unsigned(size as u64);
            start.max(0) as usize..end.clamp(0, side as i64) as usize
        };
        let columns = span(corner[0], size[0], self.width);
        if columns.is_empty() {
            return;
        }
        for row in span(corner[1], size[1], self.height) {
            self.pixels[row * self.width..][columns.clone()].fill(colour);
        }
    }

    /// Copies a picture onto this one; what lies outside is cut off.
    pub fn paste(&mut self, corner: [i32; 2], picture: &Self) {
        for (row, y) in picture.rows().zip(corner[1]..) {
            for (&colour, x) in row.iter().zip(corner[0]..) {
                self.fill([x, y], [1, 1], colour);
            }
        }
    }

    /// Writes text below and to the right of `corner`; a character without a glyph becomes `?`.
    pub fn write(&mut self, corner: [i32; 2], text: &str, ink: Ink) {
        let scale = ink.scale as i32;
        for (line, y) in text.lines().zip(0..) {
            for (character, x) in line.chars().zip(0..) {
                for [column, row] in font::dots(character) {
                    let x = corner[0] + (x * font::ADVANCE as i32 + column as i32) * scale;
                    let y = corner[1] + (y * font::LINE as i32 + row as i32) * scale;
                    self.fill([x, y], [ink.scale, ink.scale], ink.colour);
                }
            }
        }
    }

    /// The same picture with every pixel drawn as a square of `factor` pixels.
    ///
    /// # Panics
    /// A side becomes 0 or greater than [`SIDE_MAX`].
    #[must_use]
    pub fn enlarged(&self, factor: usize) -> Self {
        let mut large = Self::filled(self.width * factor, self.height * factor, BACKGROUND);
        for (row, target) in large.pixels.chunks_exact_mut(self.width * factor).enumerate() {
            let source = &self.pixels[row / factor * self.width..][..self.width];
            for (pixels, &colour) in target.chunks_exact_mut(factor).zip(source) {
                pixels.fill(colour);
            }
        }
        large
    }

    /// Panels side by side on a dark ground, each with its caption above.
    ///
    /// # Panics
    /// There is no panel, or they are together wider than [`SIDE_MAX`].
    #[must_use]
    pub fn panels(panels: &[Panel<'_>]) -> Self {
        assert!(!panels.is_empty(), "a row of panels holds at least one");
        let sizes: Vec<[usize; 2]> =
            panels.iter().map(|panel| text_size(panel.caption, CAPTION_SCALE)).collect();
        let widths: Vec<usize> = panels
            .iter()
            .zip(&sizes)
            .map(|(panel, size)| panel.picture.width.max(size[0]))
            .collect();
        let head = GUTTER + GUTTER / 2 + sizes.iter().map(|size| size[1]).max().unwrap_or(0);
        let body = panels.iter().map(|panel| panel.picture.height).max().unwrap_or(0);
        let width = GUTTER + widths.iter().map(|width| width + GUTTER).sum::<usize>();
        let mut page = Self::filled(width, head + body + GUTTER, BACKGROUND);
        let mut x = GUTTER;
        for (panel, width) in panels.iter().zip(widths) {
            let ink = Ink { colour: TEXT, scale: CAPTION_SCALE };
            page.write([x as i32, GUTTER as i32], panel.caption, ink);
            page.paste([x as i32, head as i32], panel.picture);
            x += width + GUTTER;
        }
        page
    }
}

/// Width and height that a text takes.
fn text_size(text: &str, scale: usize) -> [usize; 2] {
    let columns = text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    [columns * font::ADVANCE * scale, text.lines().count() * font::LINE * scale]
}

/// A picture could not be written to its file.
#[derive(Debug, Error)]
#[error("picture {}: cannot {action}: {source}", path.display())]
pub struct PictureError {
    /// The file that was wanted.
    pub path: PathBuf,
    /// What was being done.
    pub action: &'static str,
    /// Why it failed.
    pub source: io::Error,
}

/// Writes a picture to a PNG file, replacing it as a whole: a reader never sees half a picture.
///
/// The bytes go to a hidden file in the same folder first, which then takes the name.
///
/// # Errors
/// The path does not end in a file name, its folder does not exist, or the device refuses.
pub fn write_png(path: &Path, picture: &Picture) -> Result<(), PictureError> {
    let fail = |action| move |source| PictureError { path: path.to_path_buf(), action, source };
    let bytes = encode(picture).map_err(fail("encode it"))?;
    atomic::write(path, &bytes).map_err(fail("write it"))
}

fn encode(picture: &Picture) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, picture.width as u32, picture.height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(picture.pixels.as_flattened())?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
