//! x
fn main() {
    let n: u64 = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(100);
    let from: u64 = std::env::args().nth(2).and_then(|s| s.parse().ok()).unwrap_or(0);
    let mut bad = std::collections::BTreeMap::<String, (u64,u64)>::new();
    let mut cov = agent_team_sim::coverage::Coverage::default();
    let (mut recs, mut steps) = (0, 0);
    for seed in from..from+n {
        let o = agent_team_sim::options::Options::of_seed(seed);
        let out = agent_team_sim::simulation::run(&o, n == 1);
        cov.add(&out.coverage);
        recs += out.records; steps += out.steps;
        for l in &out.trace { println!("{l}"); }
        if let Some((v, s)) = out.violation {
            if n == 1 { println!("seed {seed} step {s} {} {}", v.checker, v.what); }
            let e = bad.entry(format!("{}: {}", v.checker, v.what.split(|c: char| c.is_ascii_digit()).next().unwrap_or(""))).or_insert((0, seed)); e.0 += 1;
        }
    }
    println!("records/seed {} steps/seed {}", recs as u64 / n, steps as u64 / n);
    for (k, v) in bad { println!("{v:?} {k}"); }
    println!("{cov:?}\nmissing {:?}", cov.missing());
}
