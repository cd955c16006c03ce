"""Pages for those who run the panel. Every module makes its blueprint with `gate.office_blueprint`."""
