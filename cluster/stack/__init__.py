"""The whole of Mobula on this machine: what `./mobula up` starts, watches and stops."""
