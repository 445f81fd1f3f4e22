"""The part of a connection that asks permission callbacks again whether subscriptions may go on.

A socket lives as long as its login session, a month perhaps; what a callback decided at subscribe is older every day.
"""

from typing import Final

from actors.protocol import codes
from serve_app.realtime.actions import Action
from serve_app.realtime.subscription import Subscription, SubscriptionState
from serve_app.realtime.tracking import Tracking
from serve_app.realtime.verdicts import Granted

PERMISSION_WITHDRAWN: Final = codes.unsubscribe(codes.UNSUBSCRIBE_SERVER.code, "permission withdrawn")
"""For good: SDKs do not subscribe again by themselves."""

CANNOT_DECIDE_S: Final = 5.0
"""A callback that failed is asked again after so long. Meanwhile the subscription goes on, until `expires_at`."""


class Rechecking(Tracking):
    """Subscriptions whose callback wants to be asked again (`Granted.again_at`)."""

    __slots__ = ()

    def _keep_asking(self, sub: Subscription, again_at: float | None) -> None:
        sub.again_at = None if self._env.insecure else again_at
        if sub.again_at is None:
            sub.question = None

    def _ask_again(self, actions: list[Action]) -> None:
        """Ask about subscriptions whose time has come, once each: they go on until there is an answer."""
        now = self._env.wall()
        for sub in self.subscriptions.values():
            if sub.again_at is not None and sub.again_at <= now and sub.state is SubscriptionState.LIVE:
                sub.again_at = None
                if sub.question is not None:
                    actions.append(sub.question)

    def _answered_again(
        self, sub: Subscription, verdict: bool | Granted | codes.ErrorCode, now: float, actions: list[Action]
    ) -> None:
        """Whether a subscription goes on. What else it was granted stays as it was; its ends are new."""
        if isinstance(verdict, Granted) and not self._has_ended(verdict.expires_at):
            sub.expires_at = None if self._env.insecure else verdict.expires_at
            self._keep_asking(sub, verdict.again_at)
        elif verdict is True:
            sub.expires_at = None
            self._keep_asking(sub, None)
        elif isinstance(verdict, codes.ErrorCode) and verdict.temporary:
            sub.again_at = self._env.wall() + CANNOT_DECIDE_S
        else:
            self._take_away(sub, PERMISSION_WITHDRAWN, actions)
        self._set_expiry_due(now)

    def _has_ended(self, expires_at: float | None) -> bool:
        """Whether what was to last until then is over already."""
        return expires_at is not None and expires_at <= self._env.wall() and not self._env.insecure

    def _take_away(
        self, sub: Subscription, code: codes.UnsubscribeCode, actions: list[Action], *, tell_broker: bool = True
    ) -> None:
        """End a live subscription."""
        raise NotImplementedError
