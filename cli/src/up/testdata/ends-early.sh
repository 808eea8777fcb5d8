#!/bin/sh
# An Envoy that finds its port taken.
echo the port is taken
exit 1
