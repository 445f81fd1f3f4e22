"""Passkeys: keys that authenticators keep and use only for this site, to sign in with nothing else."""
