"""Pages of the operators' office. Every module makes its blueprint with `access.office_blueprint`.

May import `shared`, services and below.
"""
