"""What every model card says, whatever the version."""

PURPOSE = (
    "Ranks all customers every week by the probability that they leave within the horizon of the "
    "label, so that the retention team calls first where a call is worth most. The probability is "
    "calibrated: of customers at 30%, about 30 of 100 leave. A person decides on every contact "
    "and offer."
)
TITLES = {
    "pr_auc": "PR-AUC",
    "roc_auc": "ROC-AUC",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "accuracy": "Accuracy",
    "brier": "Brier score",
    "ece": "Calibration error",
    "ece_uncalibrated": "Calibration error before calibration",
}
DRIFT_MART = "mart_drift"
LIMITS = (
    "The figures hold for customers like those of the data above, over the same horizon. They say "
    "nothing about why a customer leaves, nor whether an offer would keep one.",
    "Customers of the training set are scored by a model that has seen their label; the test set "
    "tells what to expect of others.",
    "Where interaction texts were written with the outcome known, read the column without text: it "
    "is what the model would be worth on texts that are not.",
    "On simulated data the figures show that the pipeline finds what the simulator put in, and "
    "nothing about real customers.",
    "Calibration is judged over all customers; of small segments the intervals are wide.",
    "Profit counts a contact at the values of the seed economics; the chance to save a churner is "
    "an assumption until a campaign with a control group has measured it.",
    "Not to be used to refuse a supply, to set a price, or to decide on credit.",
)
POLICY_TITLES = {
    "contact_nobody": "Contact nobody",
    "contact_everybody": "Contact everybody",
    "fixed_tiers": "By risk tier, with guardrails",
    "expected_value": "By expected value",
}
POLICY_NOTE = (
    "Profit of one campaign on the test set: margin saved less discounts and contacts, at the "
    "values of the seed economics. Expected goes by the probabilities, realised by who left. The "
    "chance to save a churner is the one that campaigns have measured for offer and tier; where "
    "none has, it is assumed. Customers whose margin is not known are left out."
)
DIRECTIONS = {
    "direction_nearer_renewal": "Renewal comes a month nearer",
    "direction_shorter_tenure": "Tenure is halved",
    "direction_complaint": "A complaint",
}
DIRECTION_NOTE = (
    "Nobody trusts a score that falls when a customer complains. For a sample of customers one "
    "thing was changed, every feature that depends on it computed again by the rules of the gold "
    "layer, and the score compared. A complaint must not lower the score; the other changes are "
    "measured only. Customers whose contract has expired or would expire are left out of the first."
)
DRIFT_MISSING = "Not measured yet."
DRIFT_MEASURED = f"Measured at every run against this version's training rows: {DRIFT_MART}."
