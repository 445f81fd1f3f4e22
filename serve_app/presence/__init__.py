"""Who is online: users, however many connections each has."""
