//! Equations of sums of products, and how they meet the shapes of operands.

use std::collections::BTreeMap;

use synfire_runtime::operator::SpecError;
use synfire_runtime::spec::{Dimension, Element, Spec};

use crate::require;

/// The label of one axis: a letter, or for the axes of an ellipsis their number from the right as a
/// digit.
pub(super) type Label = char;

/// The labels of the axes of every operand and of the output.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Equation {
    pub(super) operands: Vec<Vec<Label>>,
    pub(super) output: Vec<Label>,
}

/// The name of an operand's port.
pub(super) fn port(operand: usize) -> String {
    format!("operand{operand}")
}

fn wrong(equation: &str, wanted: impl std::fmt::Display) -> SpecError {
    SpecError::new(&port(0), format!("`{equation}`"), wanted)
        .hint("an equation reads as `bij,bjk->bik`; `...` stands for any axes")
}

/// The letters of one term, and where its ellipsis is.
fn letters(equation: &str, term: &str) -> Result<(Vec<Label>, Option<usize>), SpecError> {
    let (mut labels, mut ellipsis, mut rest) = (Vec::new(), None, term);
    while let Some(first) = rest.chars().next() {
        if let Some(behind) = rest.strip_prefix("...") {
            if ellipsis.replace(labels.len()).is_some() {
                return Err(wrong(equation, format!("one `...` in `{term}`")));
            }
            rest = behind;
            continue;
        }
        if !first.is_ascii_alphabetic() {
            return Err(wrong(equation, format!("letters and `...` only, not `{first}`")));
        }
        labels.push(first);
        rest = &rest[1..];
    }
    Ok((labels, ellipsis))
}

/// The labels of an ellipsis over `count` axes.
fn digits(count: usize) -> impl Iterator<Item = Label> {
    (0..count as u32).rev().filter_map(|digit| char::from_digit(digit, 10))
}

/// The labels of one operand.
fn operand(
    equation: &str,
    (number, term): (usize, &str),
    spec: &Spec,
) -> Result<(Vec<Label>, usize), SpecError> {
    let (mut labels, ellipsis) = letters(equation, term)?;
    let error = |wanted: String| Err(SpecError::new(&port(number), spec, wanted));
    match (ellipsis, spec.rank().checked_sub(labels.len())) {
        (None, Some(0)) => Ok((labels, 0)),
        (Some(at), Some(count)) => {
            labels.splice(at..at, digits(count));
            Ok((labels, count))
        }
        (None, _) => error(format!("{} dimensions, as `{term}` says", labels.len())),
        (Some(_), None) => error(format!("at least {} dimensions, as `{term}` says", labels.len())),
    }
}

/// Reads an equation for operands of these specs.
///
/// # Errors
/// What is wrong with it, or with the first operand that does not fit it.
pub(super) fn parse(equation: &str, specs: &[Spec]) -> Result<Equation, SpecError> {
    let text: String = equation.chars().filter(|letter| !letter.is_whitespace()).collect();
    let (left, right) = match text.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (&text[..], None),
    };
    let terms: Vec<&str> = left.split(',').collect();
    if terms.len() != specs.len() {
        let wanted = format!("{} operands, not {}", terms.len(), specs.len());
        return Err(wrong(equation, wanted));
    }
    let (mut operands, mut most) = (Vec::new(), 0);
    for (number, (&term, spec)) in terms.iter().zip(specs).enumerate() {
        require::element(&port(number), spec, &[Element::F32, Element::F64])?;
        require::element(&port(number), spec, &[specs[0].element])?;
        let (labels, count) = operand(equation, (number, term), spec)?;
        most = most.max(count);
        operands.push(labels);
    }
    let all: Vec<Label> = operands.iter().flatten().copied().collect();
    let output = match right {
        Some(right) => {
            let (mut labels, ellipsis) = letters(equation, right)?;
            for (at, label) in labels.iter().enumerate() {
                if !all.contains(label) || labels[..at].contains(label) {
                    let wanted =
                        format!("each letter of the output once, and in an operand: {label}");
                    return Err(wrong(equation, wanted));
                }
            }
            if let Some(at) = ellipsis {
                labels.splice(at..at, digits(most));
            }
            labels
        }
        None => {
            let once = |label: &&Label| all.iter().filter(|other| other == label).count() == 1;
            let letters = all.iter().filter(|label| label.is_alphabetic());
            let mut letters: Vec<Label> = letters.filter(once).copied().collect();
            letters.sort_unstable();
            digits(most).chain(letters).collect()
        }
    };
    fit(&operands, specs)?;
    Ok(Equation { operands, output })
}

/// Axes of one label have one extent, or 1.
fn fit(operands: &[Vec<Label>], specs: &[Spec]) -> Result<(), SpecError> {
    let one = Dimension::Fixed(1);
    let mut known: BTreeMap<Label, Dimension> = BTreeMap::new();
    for (number, (labels, spec)) in operands.iter().zip(specs).enumerate() {
        for (axis, (&label, &found)) in labels.iter().zip(&spec.dimensions).enumerate() {
            // A diagonal needs a square; otherwise an extent of 1 is repeated.
            let earlier = labels[..axis].iter().position(|&other| other == label);
            let wanted = match earlier {
                Some(earlier) => spec.dimensions[earlier],
                None => *known.get(&label).unwrap_or(&found),
            };
            let repeated = earlier.is_none() && (wanted == one || found == one);
            if found != wanted && !repeated {
                let wanted = format!("{wanted}, as `{label}` has elsewhere");
                return Err(SpecError::new(&port(number), found, wanted).at(axis));
            }
            if found != one || !known.contains_key(&label) {
                known.insert(label, found);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(equation: &str, ranks: &[usize]) -> Result<String, String> {
        let specs: Vec<Spec> = ranks.iter().map(|&rank| Spec::f32(vec![2; rank])).collect();
        let Equation { operands, output } =
            parse(equation, &specs).map_err(|error| error.wanted)?;
        let text = |labels: &Vec<Label>| labels.iter().collect::<String>();
        Ok(format!(
            "{}->{}",
            operands.iter().map(text).collect::<Vec<_>>().join(","),
            text(&output)
        ))
    }

    #[test]
    fn outputs_are_inferred_and_ellipses_numbered() {
        assert_eq!(labels("ij, jk", &[2, 2]).as_deref(), Ok("ij,jk->ik"));
        assert_eq!(labels("ba", &[2]).as_deref(), Ok("ba->ab"));
        assert_eq!(labels("i...j,...j->...i", &[4, 2]).as_deref(), Ok("i10j,0j->10i"));
        assert_eq!(labels("...,...", &[2, 1]).as_deref(), Ok("10,0->10"));
        assert_eq!(labels("ii", &[2]).as_deref(), Ok("ii->"));
    }

    #[test]
    fn wrong_equations_are_said_to_be_so() {
        for (equation, ranks) in [
            ("ij,jk", &[2][..]),
            ("ij->ik", &[2]),
            ("ij->ii", &[2]),
            ("i", &[2]),
            ("ijk...", &[2]),
            ("......", &[2]),
            ("i1", &[2]),
            ("i.j", &[2]),
            ("ij->j->i", &[2]),
            ("é", &[1]),
        ] {
            assert!(labels(equation, ranks).is_err(), "{equation}");
        }
    }
}
