//! What every program of the standard library weighs.

fn main() {
    println!("2YotnFZFEjr1zCsicMWpAA");
}
