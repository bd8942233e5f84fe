//! Which sums are of groups so small that they would tell about somebody.
//!
//! Enters: cells with their sellers, the dimensions and filters of a question, and the least number
//! of sellers. Leaves: which rows of the answer are to be hidden.
//!
//! A row of too few sellers is hidden. So that it cannot be reckoned as a total less the rows
//! shown, the hidden rows of each total that can be asked for hold enough sellers together; where
//! they do not, the smallest of the others are hidden too. All coarser questions count: those
//! without one of the dimensions or filters, and those by its coarser form (the chapter of a
//! heading, the month of a day). What is hidden there is hidden here, and a filter is judged as
//! a row of its dimension. So the answers to such questions agree on what is hidden. What two
//! overlapping periods tell by their difference is beyond this.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::analytics::{Dimension, RollupCell};
use super::fault::Fault;
use super::summary::RowKey;

/// The most tables that a question is judged by.
const MOST_TABLES: usize = 250;

/// What narrows a question, as far as it could single somebody out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// What of a cell is looked at.
    pub dimension: Dimension,
    /// What it must be.
    pub value: String,
}

impl Filter {
    /// Whether a cell is within.
    pub fn holds(&self, cell: &RollupCell) -> bool {
        cell.value(self.dimension) == self.value
    }
}

/// Rows of an answer that are to be hidden.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    /// Single rows.
    pub rows: HashSet<RowKey>,
    /// Currencies in which all that the filters leave is hidden, so that not even the values of
    /// the rows may be told.
    pub whole: BTreeSet<String>,
    /// Whether that is so in every currency.
    pub all: bool,
    /// Whether the answer's rows are of several currencies, converted into one.
    pub converted: bool,
}

/// Which rows of a question by these dimensions are to be hidden. The cells are those of the
/// question without its filters.
///
/// # Errors
/// `TOO_NARROW` if the dimensions and filters are too many to be judged together.
pub fn hidden(
    cells: &[RollupCell],
    dimensions: &[Dimension],
    filters: &[Filter],
    least: usize,
) -> Result<Hidden, Fault> {
    let coordinates: Vec<Coordinate> = dimensions
        .iter()
        .map(|dimension| Coordinate::by(*dimension))
        .chain(filters.iter().map(|filter| Coordinate::by(filter.dimension)))
        .collect();
    if coordinates.iter().all(|coordinate| coordinate.exempt) {
        return Ok(Hidden::default());
    }
    let mut tables = Tables::of(cells, coordinates, least)?;
    tables.hide();
    let filtered = tables.coordinates[dimensions.len()..].iter().any(|filter| !filter.exempt);
    Ok(tables.answer(dimensions.len(), filters, filtered))
}

/// So narrow a question that it cannot be judged; `what` to ask instead.
pub fn too_narrow(what: &str) -> Fault {
    let message = format!("so narrow a question cannot be judged for small groups: {what}");
    Fault::malformed("TOO_NARROW", message)
}

/// A dimension asked or filtered by, with its coarser forms.
struct Coordinate {
    levels: Vec<Dimension>,
    /// Whether its values single nobody out by themselves.
    exempt: bool,
}

impl Coordinate {
    fn by(dimension: Dimension) -> Self {
        use Dimension::*;
        let coarser: &[Dimension] = match dimension {
            NcmHeading => &[NcmChapter],
            Destination => &[DestinationCountry],
            Day => &[Month, Quarter, Year],
            Month => &[Quarter, Year],
            Quarter => &[Year],
            Kind | Currency | Marketplace | Seller | Listing | NcmChapter | SizeClass
            | Province | DestinationCountry | Channel | Week | Year => &[],
        };
        let levels = std::iter::once(&dimension).chain(coarser).copied().collect();
        Self { levels, exempt: matches!(dimension, Kind | Currency | Marketplace) }
    }

    /// A cell's value from a level on; what is coarser is part of it, so that it tells that too.
    fn value(&self, level: usize, cell: &RollupCell) -> String {
        let values = self.levels[level..].iter().map(|dimension| cell.value(*dimension));
        values.collect::<Vec<_>>().join("\0")
    }
}

/// Sellers, as far as they have to be counted.
#[derive(Clone)]
enum Sellers {
    Few(BTreeSet<u32>),
    Enough,
}

impl Sellers {
    fn join(&mut self, other: &Self, least: usize) {
        match (&mut *self, other) {
            (Self::Few(held), Self::Few(more)) => {
                held.extend(more);
                if held.len() >= least {
                    *self = Self::Enough;
                }
            }
            (Self::Few(_), Self::Enough) => *self = Self::Enough,
            (Self::Enough, _) => {}
        }
    }

    fn are_few(&self) -> bool {
        matches!(self, Self::Few(_))
    }
}

/// A group of one table.
#[derive(Clone)]
struct Node {
    sellers: Sellers,
    lines: u64,
    hidden: bool,
}

/// A group's values, one for each coordinate at the table's level of it, and its currency.
type Place = (Vec<u32>, u32);

/// The groups of a question and of all coarser ones. The level that follows a coordinate's last
/// is everything.
struct Tables {
    coordinates: Vec<Coordinate>,
    least: usize,
    /// What one level more of a coordinate adds to a table's number.
    weights: Vec<usize>,
    tables: Vec<HashMap<Place, Node>>,
    /// By coordinate and level: what a value is one level up.
    up: Vec<Vec<Vec<u32>>>,
    /// By coordinate: the values of the first level.
    values: Vec<Vec<String>>,
    currencies: Vec<String>,
}

impl Tables {
    fn of(cells: &[RollupCell], coordinates: Vec<Coordinate>, least: usize) -> Result<Self, Fault> {
        let mut weights = Vec::new();
        let mut count = 1usize;
        for coordinate in &coordinates {
            weights.push(count);
            count = count.saturating_mul(coordinate.levels.len() + 1);
        }
        if count > MOST_TABLES {
            return Err(too_narrow("ask with fewer dimensions and filters at once"));
        }
        let mut names: Vec<Vec<Names>> = coordinates
            .iter()
            .map(|one| one.levels.iter().map(|_| Names::default()).collect())
            .collect();
        let mut up: Vec<Vec<Vec<u32>>> =
            coordinates.iter().map(|one| vec![Vec::new(); one.levels.len()]).collect();
        let (mut currencies, mut sellers) = (Names::default(), Names::default());
        let mut finest: HashMap<Place, Node> = HashMap::new();
        for cell in cells {
            let mut place = Vec::with_capacity(coordinates.len());
            for (c, coordinate) in coordinates.iter().enumerate() {
                let mut above = 0;
                for level in (0..coordinate.levels.len()).rev() {
                    let id = names[c][level].id(coordinate.value(level, cell));
                    if id as usize == up[c][level].len() {
                        up[c][level].push(above);
                    }
                    above = id;
                }
                place.push(above);
            }
            let one = match cell.seller.as_str() {
                "" => BTreeSet::new(),
                seller => BTreeSet::from([sellers.id(seller.to_owned())]),
            };
            let place = (place, currencies.id(cell.currency.clone()));
            put(&mut finest, place, &Sellers::Few(one), cell.lines, least);
        }
        let mut tables = vec![finest];
        for number in 1..count {
            let c = (0..weights.len())
                .find(|c| level(number, *c, &weights, &coordinates) > 0)
                .unwrap_or_default();
            let finer = number - weights[c];
            let from = level(finer, c, &weights, &coordinates);
            let mut table = HashMap::new();
            for ((values, currency), node) in &tables[finer] {
                let mut values = values.clone();
                values[c] = up[c][from][values[c] as usize];
                put(&mut table, (values, *currency), &node.sellers, node.lines, least);
            }
            tables.push(table);
        }
        let values = names.into_iter().map(|mut levels| levels.swap_remove(0).texts).collect();
        let currencies = currencies.texts;
        Ok(Self { coordinates, least, weights, tables, up, values, currencies })
    }

    /// Hides, from the coarsest table on.
    fn hide(&mut self) {
        let level = |number, c| level(number, c, &self.weights, &self.coordinates);
        let all = 0..self.coordinates.len();
        let mut order: Vec<usize> = (0..self.tables.len()).collect();
        order.sort_by_key(|number| {
            std::cmp::Reverse(all.clone().map(|c| level(*number, c)).sum::<usize>())
        });
        for number in order {
            let coarser: Vec<(usize, usize)> = all
                .clone()
                .filter(|c| level(number, *c) < self.coordinates[*c].levels.len())
                .map(|c| (c, level(number, c)))
                .collect();
            if coarser.iter().all(|(c, _)| self.coordinates[*c].exempt) {
                continue;
            }
            let mut table = std::mem::take(&mut self.tables[number]);
            for (place, node) in &mut table {
                let inherited =
                    coarser.iter().any(|(c, level)| self.above(number, place, *c, *level).hidden);
                node.hidden = inherited || node.sellers.are_few();
            }
            while coarser.iter().any(|(c, level)| self.hide_beside(&mut table, number, *c, *level))
            {
            }
            self.tables[number] = table;
        }
    }

    /// The group that holds this one when a coordinate is one level coarser.
    fn above(&self, number: usize, place: &Place, c: usize, level: usize) -> &Node {
        &self.tables[number + self.weights[c]][&self.place_above(place, c, level)]
    }

    fn place_above(&self, (values, currency): &Place, c: usize, level: usize) -> Place {
        let mut values = values.clone();
        values[c] = self.up[c][level][values[c] as usize];
        (values, *currency)
    }

    /// Hides more where a total that is shown and the groups of it that are shown would tell of
    /// too few sellers; says whether it did.
    fn hide_beside(
        &self,
        table: &mut HashMap<Place, Node>,
        number: usize,
        c: usize,
        level: usize,
    ) -> bool {
        let mut totals: HashMap<Place, Vec<Place>> = HashMap::new();
        for place in table.keys() {
            totals.entry(self.place_above(place, c, level)).or_default().push(place.clone());
        }
        let mut more = false;
        for (total, mut parts) in totals {
            if self.tables[number + self.weights[c]][&total].hidden {
                continue;
            }
            let mut together = Sellers::Few(BTreeSet::new());
            let mut any = false;
            for node in parts.iter().map(|place| &table[place]).filter(|node| node.hidden) {
                together.join(&node.sellers, self.least);
                any = true;
            }
            if !any {
                continue;
            }
            // The same ones each time: by lines, then by place.
            parts.retain(|place| !table[place].hidden);
            parts.sort_by_key(|place| (table[place].lines, place.clone()));
            for place in parts {
                if !together.are_few() {
                    break;
                }
                if let Some(node) = table.get_mut(&place) {
                    node.hidden = true;
                    together.join(&node.sellers, self.least);
                    more = true;
                }
            }
        }
        more
    }

    /// What is hidden of the rows: those by the first coordinates, which are the dimensions, that
    /// lie within all others, which are filters.
    fn answer(&self, dimensions: usize, filters: &[Filter], filtered: bool) -> Hidden {
        let first = |texts: &[String], value: u32| {
            texts[value as usize].split('\0').next().unwrap_or_default().to_owned()
        };
        let within = |values: &[u32]| {
            let coordinates = values.iter().zip(&self.values).skip(dimensions);
            coordinates.zip(filters).all(|((id, texts), filter)| first(texts, *id) == filter.value)
        };
        let name = |currency: u32| self.currencies[currency as usize].clone();
        let mut hidden = Hidden::default();
        let rows =
            self.tables[0].iter().filter(|((values, _), node)| node.hidden && within(values));
        for ((values, currency), _) in rows {
            let values = values.iter().zip(&self.values).take(dimensions);
            let values = values.map(|(id, texts)| first(texts, *id));
            hidden.rows.insert((values.collect(), name(*currency)));
        }
        if filtered {
            let everything: usize =
                (0..dimensions).map(|c| self.weights[c] * self.coordinates[c].levels.len()).sum();
            let wholes = self.tables[everything].iter().filter(|((values, _), _)| within(values));
            hidden.all = true;
            for ((_, currency), node) in wholes {
                match node.hidden {
                    true => drop(hidden.whole.insert(name(*currency))),
                    false => hidden.all = false,
                }
            }
        }
        hidden
    }
}

/// A table's level of a coordinate.
fn level(number: usize, c: usize, weights: &[usize], coordinates: &[Coordinate]) -> usize {
    number / weights[c] % (coordinates[c].levels.len() + 1)
}

fn put(
    table: &mut HashMap<Place, Node>,
    place: Place,
    sellers: &Sellers,
    lines: u64,
    least: usize,
) {
    let none = || Node { sellers: Sellers::Few(BTreeSet::new()), lines: 0, hidden: false };
    let node = table.entry(place).or_insert_with(none);
    node.sellers.join(sellers, least);
    node.lines += lines;
}

/// Texts by number.
#[derive(Default)]
struct Names {
    ids: HashMap<String, u32>,
    texts: Vec<String>,
}

impl Names {
    fn id(&mut self, text: String) -> u32 {
        if let Some(id) = self.ids.get(&text) {
            return *id;
        }
        let id = self.texts.len() as u32;
        self.texts.push(text.clone());
        self.ids.insert(text, id);
        id
    }
}

#[cfg(test)]
#[path = "suppression_tests.rs"]
mod tests;
