"""The one place that joins the parts: settings, the web application, the server process."""
