//! A cube as it is written down, and read back.

use serde::{Deserialize, Serialize};

use super::column::{Column, SavedSlot, Span};
use super::{About, Cube, GoodsId, GroupKey, Unfit, place};
use crate::domain::currency::Currency;
use crate::domain::place::Destination;
use crate::domain::sale::SaleKind;

/// All of a cube but the days that it holds.
#[derive(Serialize, Deserialize)]
pub struct Saved {
    goods: Vec<About<Box<str>>>,
    groups: Vec<(u32, Option<Destination>, Currency, SaleKind)>,
    columns: Vec<SavedColumn>,
}

/// A column, with the digits of those of its sums that 64 bits do not hold as text.
#[derive(Serialize, Deserialize)]
struct SavedColumn {
    span: Span,
    slots: Vec<SavedSlot>,
    wide: Vec<(u32, [String; 2])>,
}

impl From<&Cube> for Saved {
    fn from(cube: &Cube) -> Self {
        let group = |key: &GroupKey| (key.goods.0, key.destination, key.currency, key.kind);
        let column = |column: &Column| SavedColumn {
            span: column.span,
            slots: column.saved().collect(),
            wide: column.wide().map(|(at, digits)| (at, digits.map(|d| d.to_string()))).collect(),
        };
        Self {
            goods: cube.goods.iter().map(|sold| sold.about.clone()).collect(),
            groups: cube.groups.iter().map(|held| group(&held.key)).collect(),
            columns: cube.columns.iter().map(column).collect(),
        }
    }
}

impl TryFrom<Saved> for Cube {
    type Error = Unfit;

    fn try_from(saved: Saved) -> Result<Self, Unfit> {
        let mut cube = Self::default();
        for about in &saved.goods {
            cube.goods(about.each_ref().map(|text| &**text))?;
        }
        for (goods, destination, currency, kind) in saved.groups {
            if goods as usize >= cube.goods.len() {
                return Err(Unfit);
            }
            cube.group(GroupKey { goods: GoodsId(goods), destination, currency, kind })?;
        }
        for SavedColumn { span, slots, wide } in saved.columns {
            let number = place(cube.columns.len())?;
            let column = Column::restored(span, slots, wide)?;
            cube.widen(column.scales().map(u32::from))?;
            for (at, group) in (0..).zip(column.groups()) {
                let group = cube.groups.get_mut(group).ok_or(Unfit)?;
                group.places.push((number, at));
            }
            cube.sums += column.len();
            cube.spans.insert(span, number);
            cube.columns.push(column);
        }
        Ok(cube)
    }
}
