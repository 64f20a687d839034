"""The websocket to the CSMS: how it is dialled (`options`, `websocket`), and when (`link`, `backoff`)."""
