#!/bin/sh
# An Envoy that runs.
echo started
exec sleep 30
