//! The command line. Exit status: 0 as expected; 1 not as expected (a deadlock found, a
//! disagreement); 2 usage or input error; 3 a bound was hit before an answer.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
