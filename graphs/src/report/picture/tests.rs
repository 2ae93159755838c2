//! Drawing, panels, and files that are written whole or not at all.

use std::fs::{self, File};

use super::*;

const DOT: Colour = [9, 9, 9];

fn text(picture: &Picture) -> Vec<String> {
    let letter = |&colour: &Colour| if colour == DOT { '#' } else { '.' };
    picture.rows().map(|row| row.iter().map(letter).collect()).collect()
}

fn folder(name: &str) -> PathBuf {
    let folder =
        std::env::temp_dir().join(format!("synfire-picture-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("the folder for temporary files is writable");
    folder
}

#[test]
fn boxes_are_cut_off_at_the_edges() {
    for (corner, size, expect) in [
        ([1, 1], [2, 1], ["....", ".##.", "...."]),
        ([-1, -1], [2, 2], ["#...", "....", "...."]),
        ([3, 2], [9, 9], ["....", "....", "...#"]),
        ([-5, 0], [2, 2], ["....", "....", "...."]),
        ([9, 0], [2, 2], ["....", "....", "...."]),
        ([i32::MAX, i32::MIN], [usize::MAX >> 1, 1], ["....", "....", "...."]),
    ] {
        let mut picture = Picture::filled(4, 3, BACKGROUND);
        picture.fill(corner, size, DOT);
        assert_eq!(text(&picture), expect, "{corner:?} {size:?}");
    }
}

#[test]
fn text_is_written_dot_by_dot() {
    let mut picture = Picture::filled(18, 7, BACKGROUND);
    picture.write([0, 0], "Sf1", Ink { colour: DOT, scale: 1 });
    let expect = [
        ".####...##....#...",
        "#......#..#..##...",
        "#......#......#...",
        ".###..###.....#...",
        "....#..#......#...",
        "....#..#......#...",
        "####...#.....###..",
    ];
    assert_eq!(text(&picture), expect);
}

#[test]
fn enlarging_repeats_every_pixel() {
    let mut picture = Picture::filled(2, 2, BACKGROUND);
    picture.fill([1, 0], [1, 1], DOT);
    assert_eq!(text(&picture.enlarged(2)), ["..##", "..##", "....", "...."]);
}

#[test]
fn panels_stand_side_by_side_below_their_captions() {
    let (small, large) = (Picture::filled(10, 20, DOT), Picture::filled(90, 5, DOT));
    let panels =
        [Panel { caption: "a", picture: &small }, Panel { caption: "two\nlines", picture: &large }];
    let page = Picture::panels(&panels);
    let head = GUTTER + GUTTER / 2 + 2 * font::LINE * CAPTION_SCALE;
    assert_eq!(page.height(), head + 20 + GUTTER);
    assert_eq!(page.width(), GUTTER + 12 + GUTTER + 90 + GUTTER);
    let dots = text(&page).concat().matches('#').count();
    assert_eq!(dots, 10 * 20 + 90 * 5, "nothing is covered or cut off");
}

#[test]
fn a_written_picture_reads_back() {
    let folder = folder("reads-back");
    let path = folder.join("dot.png");
    let mut picture = Picture::filled(5, 4, [1, 2, 3]);
    write_png(&path, &picture).expect("the folder exists");
    picture.fill([2, 2], [1, 1], DOT);
    write_png(&path, &picture).expect("an older picture is replaced");
    let file = io::BufReader::new(File::open(&path).expect("the file was written"));
    let mut reader = png::Decoder::new(file).read_info().expect("it is a PNG file");
    let mut bytes = vec![0; 5 * 4 * 3];
    reader.next_frame(&mut bytes).expect("it holds a picture");
    assert_eq!(bytes, picture.pixels.as_flattened());
    let names = fs::read_dir(&folder).expect("the folder exists").count();
    assert_eq!(names, 1, "the partial file is gone");
    fs::remove_dir_all(&folder).expect("the folder is ours");
}

#[test]
fn a_failure_names_the_file_and_leaves_nothing() {
    let folder = folder("failure");
    let picture = Picture::filled(1, 1, DOT);
    let missing = folder.join("missing").join("dot.png");
    let error = write_png(&missing, &picture).expect_err("the folder does not exist");
    let expect = format!("picture {}: cannot write it: ", missing.display());
    assert!(error.to_string().starts_with(&expect), "{error}");
    let taken = folder.join("taken.png");
    fs::create_dir_all(taken.join("inside")).expect("the folder is ours");
    let error = write_png(&taken, &picture).expect_err("a folder has that name");
    assert!(error.to_string().contains("taken.png: cannot write it"), "{error}");
    assert_eq!(fs::read_dir(&folder).expect("the folder exists").count(), 1);
    let error = write_png(Path::new("/"), &picture).expect_err("no file name");
    assert!(error.to_string().starts_with("picture /: cannot write it"), "{error}");
    fs::remove_dir_all(&folder).expect("the folder is ours");
}
