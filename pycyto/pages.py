"""HTML pages from templates: everything that is put into one is escaped, and nothing may miss."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import jinja2


def rendered(
    package: str,
    template: str,
    filters: Mapping[str, Callable[..., object]] | None = None,
    **values: object,
) -> str:
    """Return a page.

    Parameters
    ----------
    package
        Whose folder ``templates`` holds the template.
    filters, values
        What the template uses; one that it misses is an error.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader(package),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(filters or {})
    return environment.get_template(template).render(values)
