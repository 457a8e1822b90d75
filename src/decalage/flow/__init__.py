"""Order and pressure: no models, no devices."""
