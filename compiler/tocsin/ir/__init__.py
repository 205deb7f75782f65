"""The intermediate representation: rules, SOPs and incidents, authored and compiled, free of any wire format."""
