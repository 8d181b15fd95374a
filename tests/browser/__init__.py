"""Reports in a browser. `pages` and `reader` show the values of a failed `assert`, as tests do."""

import pytest

pytest.register_assert_rewrite("tests.browser.pages", "tests.browser.reader")
