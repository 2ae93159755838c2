//! History: what happened so far, as rows.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::Goal;

/// What the training outlets gave in one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The number of the step, from 1.
    pub step: u64,
    /// The numbers in the order of [`History::names`].
    pub values: Vec<f32>,
}

/// One evaluation: means over all examples, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// Steps before it.
    pub step: u64,
    /// The numbers.
    pub values: BTreeMap<String, f64>,
}

/// Everything that was measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Names of the training outlets.
    pub names: Vec<String>,
    /// One row a step.
    pub rows: Vec<Row>,
    /// One for each evaluation.
    pub evaluations: Vec<Evaluation>,
}

impl History {
    /// The best evaluation, and how many came after it.
    #[must_use]
    pub fn best(&self, goal: Goal) -> Option<(&Evaluation, usize)> {
        let number = |own: &Evaluation| own.values.get(goal.name()).copied();
        let mut best: Option<(usize, f64)> = None;
        for (index, own) in self.evaluations.iter().enumerate() {
            let Some(new) = number(own) else { continue };
            if best.is_none_or(|(_, old)| goal.is_better(new, old)) {
                best = Some((index, new));
            }
        }
        best.map(|(index, _)| (&self.evaluations[index], self.evaluations.len() - 1 - index))
    }

    /// As comma-separated values: a column for each outlet, and one for each number of the
    /// evaluation after that step, empty where there was none.
    #[must_use]
    pub fn csv(&self) -> String {
        let evaluated: Vec<&String> =
            self.evaluations.first().map_or(Vec::new(), |own| own.values.keys().collect());
        let mut text = String::from("step");
        self.names.iter().for_each(|name| text.extend([",", name]));
        evaluated.iter().for_each(|name| text.extend([",evaluation_", name]));
        text.push('\n');
        let mut evaluations = self.evaluations.iter().peekable();
        for row in &self.rows {
            // Writing to a string cannot fail.
            let _ = write!(text, "{}", row.step);
            row.values.iter().for_each(|value| text.push_str(&format!(",{value}")));
            let own = evaluations.next_if(|own| own.step <= row.step);
            for name in &evaluated {
                text.push(',');
                if let Some(value) = own.and_then(|own| own.values.get(*name)) {
                    let _ = write!(text, "{value}");
                }
            }
            text.push('\n');
        }
        text
    }

    /// One outlet's numbers, as `(step, value)`.
    #[must_use]
    pub fn series(&self, name: &str) -> Vec<(f64, f64)> {
        let Some(column) = self.names.iter().position(|own| own == name) else {
            return Vec::new();
        };
        let point = |row: &Row| Some((row.step as f64, f64::from(*row.values.get(column)?)));
        self.rows.iter().filter_map(point).collect()
    }

    /// One number of the evaluations, as `(step, value)`.
    #[must_use]
    pub fn evaluated(&self, name: &str) -> Vec<(f64, f64)> {
        let point = |own: &Evaluation| Some((own.step as f64, *own.values.get(name)?));
        self.evaluations.iter().filter_map(point).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> History {
        let evaluation = |step: u64, value: f64| Evaluation {
            step,
            values: BTreeMap::from([("accuracy".to_owned(), value)]),
        };
        let row = |step: u64| Row { step, values: vec![1.0 / step as f32, 0.5] };
        History {
            names: vec!["loss".into(), "rate".into()],
            rows: (1..=4).map(row).collect(),
            evaluations: vec![evaluation(2, 0.75), evaluation(4, 0.75)],
        }
    }

    #[test]
    fn the_first_of_equal_evaluations_is_the_best() {
        let history = history();
        let (best, since) = history.best(Goal::Highest("accuracy")).expect("there are two");
        assert_eq!((best.step, since), (2, 1));
        assert!(history.best(Goal::Highest("loss")).is_none());
    }

    #[test]
    fn the_table_has_a_row_for_each_step() {
        let text = history().csv();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "step,loss,rate,evaluation_accuracy");
        assert_eq!(lines[1..3], ["1,1,0.5,", "2,0.5,0.5,0.75"]);
        assert_eq!(lines.len(), 5);
    }
}
