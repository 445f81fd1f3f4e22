"""What each benchmark is compared with: the plain program that one would write on uvicorn, run beside ours."""
