"""The stages of a run: functions on stores, with resume and quarantine."""
