//! Tables that are read, and tables that are refused with line and column.

use super::*;
use crate::data::dataset::{Examples, Target};

fn class(column: &str) -> Format {
    Format::new(Wanted::Class(Column::Name(column.to_owned())))
}

fn parsed(text: &str, format: &Format) -> Result<Dataset, DataError> {
    parse("t.csv", text.as_bytes(), format)
}

fn names(data: &Dataset) -> Vec<String> {
    match data.target() {
        Target::Class(names) => names.clone(),
        Target::Numbers(extents) => panic!("numbers {extents:?}"),
    }
}

fn example(data: &Dataset, index: usize) -> Vec<f32> {
    let mut x = vec![0.0; data.extents().iter().product()];
    data.read(index, &mut x);
    x
}

#[test]
fn the_label_may_be_any_column() {
    let text = "a, kind ,b\n1,wet,2\n3, dry,4.5\n-1e2,wet,0\n";
    let data = parsed(text, &class("kind")).expect("it is right");
    assert_eq!((data.count(), data.extents()), (3, &[2][..]));
    assert_eq!(names(&data), ["dry", "wet"]);
    assert_eq!([0, 1, 2].map(|index| data.label(index)), [Some(1), Some(0), Some(1)]);
    assert_eq!(example(&data, 1), [3.0, 4.5]);
    assert_eq!(example(&data, 2), [-100.0, 0.0]);
}

#[test]
fn numbered_classes_are_in_the_order_of_their_numbers() {
    let format = Format { header: false, ..Format::new(Wanted::Class(Column::Last)) };
    let data = parsed("0,10\n0,9\n0,2\n", &format).expect("it is right");
    assert_eq!(names(&data), ["2", "9", "10"]);
    let given = Format { classes: vec!["9".into(), "10".into(), "2".into()], ..format };
    let data = parsed("0,10\n0,9\n0,2\n", &given).expect("it is right");
    assert_eq!([0, 1, 2].map(|index| data.label(index)), [Some(1), Some(0), Some(2)]);
}

#[test]
fn numbers_may_be_wanted_and_features_have_a_shape_and_a_scale() {
    let wanted = Wanted::Numbers(vec![Column::Index(0), Column::Last]);
    let format = Format { separator: b';', scale: 0.5, ..Format::new(wanted) };
    let format = Format { extents: vec![2, 2], ..format };
    let data = parsed("y;a;b;c;d;z\n9;2;4;6;8;7\n", &format).expect("it is right");
    assert_eq!(data.extents(), [2, 2]);
    assert_eq!(example(&data, 0), [1.0, 2.0, 3.0, 4.0]);
    let mut y = [0.0; 2];
    data.answer(0, &mut y);
    assert_eq!(y, [9.0, 7.0]);
}

#[test]
fn wrong_tables_are_refused_with_line_and_column() {
    let own = class("kind");
    let shaped = Format { extents: vec![2, 2], ..own.clone() };
    let given = Format { classes: vec!["wet".into(), "dry".into()], ..own.clone() };
    let bare = Format { header: false, ..own.clone() };
    let far = Format::new(Wanted::Class(Column::Index(2)));
    for (text, format, expect) in [
        ("", &own, "t.csv: no row; wanted at least one"),
        ("a,kind\n", &own, "t.csv: no row; wanted at least one"),
        ("a,kind\n1,x\n1,x,2\n", &own, "t.csv, line 3: 3 fields; wanted 2"),
        (
            "a,kind\n1,x\nnone,x\n",
            &own,
            "t.csv, line 3, column a: \"none\"; wanted a finite number",
        ),
        ("a,kind\n,x\n", &own, "t.csv, line 2, column a: \"\"; wanted a finite number"),
        ("a,kind\ninf,x\n", &own, "t.csv, line 2, column a: \"inf\"; wanted a finite number"),
        ("a,b\n1,2\n", &own, "t.csv: columns a, b; wanted column kind"),
        ("1,2\n", &bare, "t.csv: 2 columns without names; wanted column kind"),
        ("a,b\n1,2\n", &far, "t.csv: columns a, b; wanted column number 2, from 0"),
        ("a,kind\n1,x\n", &shaped, "t.csv: 1 features; wanted examples [2, 2]"),
        (
            "a,kind\n1,wet\n1,damp\n",
            &given,
            "t.csv, line 3, column kind: class \"damp\"; wanted one of wet, dry",
        ),
        ("kind\nx\n", &own, "t.csv: 0 elements; wanted examples of extents [0]"),
    ] {
        let error = parsed(text, format).expect_err(text);
        assert_eq!(error.to_string(), expect);
    }
    let error = parse("t.csv", b"a,kind\n1,\xFF\n", &own).expect_err("it is no text");
    assert!(error.to_string().starts_with("t.csv, line 2: text that is not UTF-8"), "{error}");
}
