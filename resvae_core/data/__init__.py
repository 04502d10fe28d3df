"""Reading what comes in: uploads, screens, cohorts and catalogues. No torch here."""
