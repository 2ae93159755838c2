//! The running reductions on the host.

use std::marker::PhantomData;

use bytemuck::{Pod, cast_slice, cast_slice_mut};
use synfire_runtime::crew::Crew;
use synfire_runtime::spec::Scalar;

use super::{
    Backward, Course, Cumulative, Element, FireError, Firing, Gradient, Kernel, Spec, Wire,
    Workspace, slopes,
};
use crate::host::number::Number;
use crate::host::scan::{Place, Scan, scan, workspace};
use crate::reduce::reduction::{Addend, log_sum_exp};

/// One member of the family.
pub(super) struct Row {
    pub(super) name: &'static str,
    /// The loop for an input element, when the row has it.
    pub(super) part: fn(Element) -> Option<Part>,
    pub(super) slope: fn(&Cumulative, &mut Backward<'_>, Wire) -> Gradient,
}

/// The loop of a row for one element type.
pub(super) struct Part {
    /// The output's element type.
    pub(super) element: Element,
    loops: Loops,
    workspace: fn(&Spec, usize) -> Workspace,
}

type Loops = fn(&Crew, (&[usize], usize, Course), (&[u8], &mut [u8]), &mut [u8]);

/// How a running reduction takes an element and what it is.
trait Running<T: Addend>: Sync {
    type State: Pod + Send + Sync;
    const NOTHING: Self::State;
    fn one(x: T) -> Self::State;
    fn merge(a: Self::State, b: Self::State) -> Self::State;
    fn out(state: Self::State) -> T::Total;
}

struct Sum;

impl<T: Addend> Running<T> for Sum
where
    T::Wide: Scalar,
{
    type State = T::Wide;
    const NOTHING: T::Wide = T::ZERO;
    fn one(x: T) -> T::Wide {
        x.widen()
    }
    fn merge(a: T::Wide, b: T::Wide) -> T::Wide {
        a.plus(b)
    }
    fn out(state: T::Wide) -> T::Total {
        T::total(state)
    }
}

struct Product;

impl<T: Addend> Running<T> for Product {
    type State = T::Wide;
    const NOTHING: T::Wide = T::ONE;
    fn one(x: T) -> T::Wide {
        x.widen()
    }
    fn merge(a: T::Wide, b: T::Wide) -> T::Wide {
        a.times(b)
    }
    fn out(state: T::Wide) -> T::Total {
        T::total(state)
    }
}

struct LogSumExp;

impl<T: Addend<Wide = f64>> Running<T> for LogSumExp {
    type State = [f64; 2];
    const NOTHING: [f64; 2] = [f64::NEG_INFINITY, 0.0];
    fn one(x: T) -> [f64; 2] {
        [x.widen(), 1.0]
    }
    fn merge(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
        log_sum_exp(a.into(), b.into()).into()
    }
    fn out([top, sum]: [f64; 2]) -> T::Total {
        T::total(top + sum.ln())
    }
}

/// A running reduction over the elements of a tensor.
struct Over<'a, T, R>(&'a [T], PhantomData<R>);

impl<T: Addend, R: Running<T>> Scan for Over<'_, T, R> {
    type State = R::State;
    type Out = T::Total;
    const NOTHING: R::State = R::NOTHING;
    #[inline]
    fn step(&self, state: R::State, place: Place) -> R::State {
        R::merge(state, R::one(self.0[place.at]))
    }
    fn merge(state: R::State, block: R::State) -> Option<R::State> {
        Some(R::merge(state, block))
    }
    #[inline]
    fn out(state: R::State) -> T::Total {
        R::out(state)
    }
}

fn part<T: Addend, R: Running<T>>() -> Option<Part> {
    Some(Part {
        element: T::Total::ELEMENTS[0],
        loops: |crew, course, (x, y), scratch| {
            let over: Over<'_, T, R> = Over(cast_slice(x), PhantomData);
            scan(crew, &over, course, cast_slice_mut(y), scratch);
        },
        workspace: workspace::<Over<'_, T, R>>,
    })
}

/// The rows by the element types that they take.
macro_rules! rows {
    ($($row:ident = $name:literal $running:ident $slope:ident:
        $($($element:ident)|+ => $scalar:ty),+;)+) => {
        $(pub(super) static $row: Row = Row {
            name: $name,
            part: |element| match element {
                $($(Element::$element)|+ => part::<$scalar, $running>(),)+
                _ => None,
            },
            slope: slopes::$slope,
        };)+
    };
}
rows! {
    SUM = "cumsum" Sum sum:
        F32 => f32, F64 => f64, I32 => i32, I64 => i64, U8 | Bool => u8;
    PRODUCT = "cumprod" Product product:
        F32 => f32, F64 => f64, I32 => i32, I64 => i64, U8 | Bool => u8;
    LOG_SUM_EXP = "logcumsumexp" LogSumExp log_sum_exp: F32 => f32, F64 => f64;
}

pub(super) struct OnHost {
    operator: Cumulative,
    part: Part,
    workspace: Workspace,
}

impl OnHost {
    pub(super) fn new(operator: &Cumulative, x: &Spec) -> Self {
        let part = (operator.row.part)(x.element).expect("the shape rule saw that it is there");
        let workspace = (part.workspace)(x, operator.axis);
        Self { operator: *operator, part, workspace }
    }
}

impl Kernel for OnHost {
    fn workspace(&self) -> Workspace {
        self.workspace
    }

    fn fire(&mut self, firing: &mut Firing<'_>) -> Result<(), FireError> {
        let Cumulative { axis, course, .. } = self.operator;
        let (x, mut y, scratch) = (firing.input(0), firing.output(0), firing.scratch());
        y.set_extents(&x.extents());
        let course = (&x.extents()[..], axis, course);
        (self.part.loops)(firing.crew(), course, (x.bytes(), y.bytes()), scratch);
        Ok(())
    }
}
