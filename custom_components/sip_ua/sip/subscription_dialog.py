"""The dialog of one subscription and the SUBSCRIBEs in it (RFC 6665 sections 3.1 and 4.4.1)."""

from .account import Transport
from .address import Hop
from .core import Core, NextHop
from .dialog import Dialog, DialogKey, wants_sips
from .errors import RemoteProtocolError
from .event_headers import EventPackage
from .headers import CSeq, NameAddr
from .message import Request, Response
from .uri import SipUri, Uri

STATUS_GONE = 481

type DialogId = tuple[str, str]


class SubscriptionDialog:
    """Nothing at first, then what the 2xx tells, and from the first NOTIFY on what that tells.

    `id` is Call-ID and our tag, by which a NOTIFY finds its subscription; `secure` tells that the latest SUBSCRIBE
    went by TLS.
    """

    def __init__(self, core: Core, package: EventPackage, target: Uri) -> None:
        """Prepare to subscribe to an event of `target`."""
        self.id: DialogId = (core.token(16), core.token())
        self._core = core
        self._package = package
        self._target = target
        self._dialog: Dialog | None = None
        self._settled = False
        self._cseq = 0
        self.secure = False

    @property
    def established(self) -> bool:
        """Whether requests can be sent in it."""
        return self._dialog is not None

    def next_hop(self) -> NextHop | None:
        """Return where a SUBSCRIBE goes first, None where there is no way."""
        core = self._core
        uri: Uri = self._target
        if self._dialog is not None:
            uri = self._dialog.next_hop_uri
        elif (server := core.server_for(uri)) is not None:
            return server
        return core.uri_hop(uri) if isinstance(uri, SipUri) else None

    def subscribe(self, hop: Hop, expires: int) -> Request:
        """Return a new SUBSCRIBE."""
        core = self._core
        self.secure = hop.remote.transport is Transport.TLS
        request = self._first_request() if self._dialog is None else self._dialog.create_request("SUBSCRIBE")
        headers = request.headers
        headers.add("Contact", str(core.contact(hop, secure=wants_sips(request))))
        headers.add("Event", self._package.name)
        headers.add("Accept", self._package.accept)
        headers.add("Supported", core.supported)
        headers.add("Expires", str(expires))
        return request

    def _first_request(self) -> Request:
        core = self._core
        self._cseq += 1
        return core.create_request(
            CSeq(self._cseq, "SUBSCRIBE"),
            str(self._target),
            from_=core.identity().with_tag(self.id[1]),
            to=NameAddr("", self._target),
            call_id=self.id[0],
            route=core.route_to(self._target),
        )

    def accepted(self, request: Request, response: Response) -> None:
        """Take a 2xx, to have a dialog to unsubscribe in even where no NOTIFY comes."""
        try:
            if self._dialog is None:
                self._dialog = Dialog.caller(request, response)
            else:
                self._dialog.update_target(response)
        except RemoteProtocolError:
            return  # an address that cannot be followed changes nothing

    def notified(self, request: Request) -> bool:
        """Take the place of a NOTIFY in the dialog and tell whether it is the first.

        The first makes the dialog, whichever of several notifiers the 2xx came from. Raises RemoteProtocolError for
        one of another notifier, and for one that was overtaken.
        """
        dialog = self._dialog
        key = DialogKey.of_request(request)
        if dialog is None or (dialog.key != key and not self._settled):
            dialog = Dialog.called(request, request.create_response(200))
            dialog.local_sequence = self._cseq
            self._dialog = dialog
        elif dialog.key != key:
            raise RemoteProtocolError("a NOTIFY of another notifier", STATUS_GONE)
        else:
            dialog.receive_request(request)
        first, self._settled = not self._settled, True
        return first
