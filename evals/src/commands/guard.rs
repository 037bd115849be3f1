//! `frontdesk-evals guard`.

use evals::guard;
use evals::html;

use crate::cli::Guard;

/// Has sentences judged that are known to be true or false.
pub(crate) fn run(options: &Guard) -> anyhow::Result<()> {
    let usual_data = options.world.usual_data();
    let world = options
        .world
        .load(options.data.as_deref().unwrap_or(usual_data))?;
    let cases = match &options.cases {
        Some(file) => guard::read(file)?,
        None => guard::made(&world, options.most),
    };
    let report = guard::judge(&world, cases)?;
    println!("{}", guard::tables(&report, options.mistakes));
    options.output.figures(&report)?;
    let title = format!("Guard: sentences about {}", options.world.name());
    options.output.page(|| html::guard(&title, &report))
}
