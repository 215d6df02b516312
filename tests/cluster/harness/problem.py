"""The one error that people see: what happened, the likely cause, the next command."""


class Problem(Exception):
    def __init__(self, what: str, cause: str, next_step: str):
        super().__init__(what)
        self.what, self.cause, self.next_step = what, cause, next_step

    def __str__(self) -> str:
        return f"{self.what}\n  cause: {self.cause}\n  next:  {self.next_step}"
