//! The smallest program with the standard library.

fn main() {
    println!("2YotnFZFEjr1zCsicMWpAA");
}
