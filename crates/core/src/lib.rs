//! Records, and the machine that folds them into a team's state.
