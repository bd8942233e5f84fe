//! Throughput, latency and CPU, and how they are told.

use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use puente::clock::Env;

/// What one side did in one round.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sample {
    /// Calls or lines a second.
    pub rate: f64,
    /// Microseconds of latency; zero where it has none.
    pub p50: f64,
    pub p99: f64,
    /// CPU microseconds of the server process for each.
    pub cpu: f64,
}

/// Counts the CPU time of a process from a moment on.
pub struct Meter {
    pid: u32,
    began: Instant,
    cpu: f64,
}

impl Meter {
    pub fn start(pid: u32) -> Self {
        Self { pid, began: Instant::now(), cpu: cpu_seconds(pid) }
    }

    /// What `count` things cost since; latencies are in microseconds.
    pub fn sample(&self, count: usize, mut latencies: Vec<u32>) -> Sample {
        let (took, cpu) = (self.began.elapsed().as_secs_f64(), cpu_seconds(self.pid) - self.cpu);
        latencies.sort_unstable();
        let at = |share: usize| {
            let last = latencies.len().saturating_sub(1);
            latencies.get((latencies.len() * share / 100).min(last)).map_or(0.0, |&us| us.into())
        };
        let count = count.max(1) as f64;
        Sample { rate: count / took, p50: at(50), p99: at(99), cpu: cpu * 1e6 / count }
    }
}

/// User and system time of all threads of a process, ended ones included; 10 ms steps.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a Linux process");
    let (_, after_name) = stat.rsplit_once(')').expect("the name of a process");
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: f64 = fields[11..13].iter().map(|t| t.parse::<f64>().expect("ticks")).sum();
    ticks / 100.0
}

/// Forgets the most memory that a process has had resident.
pub fn forget_peak(pid: u32) {
    std::fs::write(format!("/proc/{pid}/clear_refs"), "5").expect("a process of our own");
}

/// Most memory a process has had resident, MiB.
pub fn peak_mib(pid: u32) -> f64 {
    memory_kib(pid, "VmHWM:") / 1024.0
}

/// Memory a process has resident, KiB.
pub fn resident_kib(pid: u32) -> f64 {
    memory_kib(pid, "VmRSS:")
}

fn memory_kib(pid: u32, what: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}

/// Microseconds since, for a list of latencies.
pub fn micros(since: Instant) -> u32 {
    u32::try_from(since.elapsed().as_micros()).unwrap_or(u32::MAX)
}

/// Sides of one comparison over all rounds.
pub struct Report {
    pub title: String,
    pub unit: &'static str,
    pub sides: Vec<(&'static str, Vec<Sample>)>,
    /// What is to be held against its goal, in words.
    pub ratios: Vec<(String, f64, String)>,
    pub notes: Vec<String>,
}

impl Report {
    pub fn new(title: String, unit: &'static str, sides: &[&'static str]) -> Self {
        let sides = sides.iter().map(|side| (*side, Vec::new())).collect();
        Self { title, unit, sides, ratios: Vec::new(), notes: Vec::new() }
    }

    pub fn add(&mut self, side: usize, sample: Sample) {
        eprintln!(
            "  {}: {:.0} {}/s, p50 {:.0} us, p99 {:.0} us, {:.2} CPU us each",
            self.sides[side].0, sample.rate, self.unit, sample.p50, sample.p99, sample.cpu
        );
        self.sides[side].1.push(sample);
    }

    /// The median over the rounds of `value` of one side divided by that of another.
    pub fn ratio(&mut self, what: &str, goal: &str, one: usize, other: usize, value: Value) {
        let each = |side: usize| self.sides[side].1.iter().map(value);
        let ratio = median(each(one).zip(each(other)).map(|(a, b)| a / b));
        self.ratios.push((what.to_owned(), ratio, goal.to_owned()));
    }
}

type Value = fn(&Sample) -> f64;

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rounds = self.sides.first().map_or(0, |side| side.1.len());
        let how = match rounds {
            1 => "One round.".to_owned(),
            more => format!("Medians of {more} interleaved rounds."),
        };
        writeln!(f, "### {}\n\n{how}\n", self.title)?;
        writeln!(f, "| side | {} a second | p50, ms | p99, ms | server CPU, us |", self.unit)?;
        writeln!(f, "|---|---|---|---|---|")?;
        for (name, samples) in &self.sides {
            let of = |value: Value| median(samples.iter().map(value));
            writeln!(
                f,
                "| {name} | {:.0} | {} | {} | {:.2} |",
                of(|s| s.rate),
                millis(of(|s| s.p50)),
                millis(of(|s| s.p99)),
                of(|s| s.cpu)
            )?;
        }
        writeln!(f, "\n| ratio | measured | goal |\n|---|---|---|")?;
        for (what, ratio, goal) in &self.ratios {
            writeln!(f, "| {what} | {ratio:.2} | {goal} |")?;
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "\n{note}"))
    }
}

fn millis(micros: f64) -> String {
    if micros > 0.0 { format!("{:.2}", micros / 1000.0) } else { "-".into() }
}

/// Puts the reports between the marks of a page's section; the rest of it stays.
pub fn save(page: &Path, section: &str, reports: &[Report]) {
    let marks = [format!("<!-- {section} -->\n"), format!("<!-- end of {section} -->\n")];
    let [first, second] = &marks;
    let text = std::fs::read_to_string(page).expect("the page");
    let (before, rest) = text.split_once(first.as_str()).expect("the first mark");
    let (_, after) = rest.split_once(second.as_str()).expect("the second mark");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let day = Env::system().now().to_string();
    let mut figures = format!("\nMeasured on {}, {cores} shared cores.\n\n", &day[..10]);
    reports.iter().for_each(|report| figures.push_str(&format!("{report}\n")));
    std::fs::write(page, format!("{before}{first}{figures}{second}{after}")).expect("to write");
}

/// Stops a closed loop after a time.
pub struct Until(Instant);

impl Until {
    pub fn after(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    pub fn over(&self) -> bool {
        Instant::now() >= self.0
    }
}
