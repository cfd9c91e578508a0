"""The small server with other readings of the published text: every value of contract/readings.json, and combinations.

Slow and obvious, to check what the conformance kit learns of a server. The default of each reading is what Endpoint does.
"""

from datetime import datetime, time

from tests.endpoint import CONVERSION_FILTERS, DAY, NOTHING, NOW, SECOND, UTC, Conversion, Endpoint, Refused, Session, only

FORMS = {"sample": "%Y-%m-%d %H:%M:%S", "iso": "%Y-%m-%dT%H:%M:%SZ", "iso-milliseconds": "%Y-%m-%dT%H:%M:%S.000Z"}


class ReadingsEndpoint(Endpoint):
    def __init__(self, readings: dict[str, str], own: list[dict], others: list[dict] = (), now: datetime = NOW):
        super().__init__(own, others, now)
        self.readings = readings

    def has(self, name: str, value: str) -> bool:
        return self.readings.get(name) == value

    # The request and its status

    def respond(self, environ):
        status, body, headers = super().respond(environ)
        if self.has("status", "201") and status == 200:
            status = 201
        if self.has("error-status", "422-403"):
            status = {400: 422, 401: 403}.get(status, status)
        return status, body, headers

    def error_body(self, refused):
        body = dict(refused.body)
        return {"message": body.pop("error"), **body} if self.has("error-field", "message") else body

    def without_trailing_comma(self, text):
        return text if self.has("trailing-comma", "refused") else super().without_trailing_comma(text)

    def page(self, account, query):
        if self.has("empty-filter", "absent"):
            query = {name: value for name, value in query.items() if value != ""}
        start, end = self.window(query)
        if self.has("reversed-window", "refused") and start > end:
            raise Refused(400, "The window starts after its end.")
        return super().page(account, query)

    # The window and the pool

    def window(self, query):
        start, end = super().window(query)
        if self.has("default-window", "before-now") and "start_date" not in query:
            start = self.now - 30 * DAY
        if self.has("default-window", "days"):
            midnight = datetime.combine(end, time(), UTC)
            end = end if "end_date" in query else midnight + DAY - SECOND
            start = start if "start_date" in query else midnight - 29 * DAY
        return start, end

    def moment(self, conversion: Conversion) -> datetime:
        return conversion.session.started_at if self.has("window", "session") else conversion.at

    def is_in_pool(self, session: Session, start: datetime, end: datetime) -> bool:
        if self.has("pool", "started"):
            return start <= session.started_at <= end
        return super().is_in_pool(session, start, end)

    def pool(self, account, query, start, end):
        pool = super().pool(account, query, start, end)
        if self.has("pool", "converting"):
            found = self.of_pool(pool, query, start, end)
            pool = [session for session, conversions in zip(pool, found, strict=True) if conversions]
        return pool[::-1] if self.has("order", "oldest") else pool

    def of_pool(self, pool, query, start, end):
        if not self.has("window", "associated"):
            return super().of_pool(pool, query, start, end)
        filters = only(query, CONVERSION_FILTERS)
        return [[one for one in session.conversions if self.conversion_matches(one, filters)] for session in pool]

    # The pages

    def collect(self, of_pool, first):
        self.rest = of_pool
        if self.has("page", "cut"):
            return self.cut(of_pool, first)
        if self.has("batch", "each"):
            return self.until_one_batch_has_50(of_pool, first)
        return super().collect(of_pool, first)

    def cut(self, of_pool, first):
        records, processed = [], first
        while processed < len(of_pool) and (not records or len(records) + len(of_pool[processed]) <= 50):
            records += of_pool[processed]
            processed += 1
            if len(records) >= 50 and (processed - first) % self.batch_size == 0:
                break
        return records, processed

    def until_one_batch_has_50(self, of_pool, first):
        records, processed, count = [], first, 0
        while processed < len(of_pool) and count < 50:
            batch = [one for conversions in of_pool[processed : processed + self.batch_size] for one in conversions]
            records, count = records + batch, len(batch)
            processed = min(processed + self.batch_size, len(of_pool))
        return records, processed

    def session_page(self, account, query, start, end, offset):
        body = super().session_page(account, query, start, end, offset)
        if self.has("has-more", "conversions") and "pagination" in body:
            body["pagination"]["has_more"] = any(self.rest[body["pagination"]["records_processed"] :])
        if self.has("order", "session") and body.get("records"):
            body["records"] = [self.record(one) for one in self.collect(self.rest, offset)[0]]
        return body

    def direct_page(self, account, query, start, end, offset):
        body = super().direct_page(account, query, start, end, offset)
        if self.has("last-offset", "plus-50") and "pagination" in body and not body["pagination"]["has_more"]:
            body["pagination"]["records_processed"] = offset + 50
        return body

    def sort(self, found):
        return sorted(found, key=lambda one: (self.shown(one), one.order[1]), reverse=not self.has("order", "oldest"))

    # The response

    def body(self, records, processed, total, offset):
        if not records and self.has("empty-page", "message"):
            return dict(NOTHING)
        return super().body(records, processed, total, offset)

    def shown(self, conversion: Conversion) -> datetime:
        return conversion.session.started_at if self.has("timestamp", "session") else conversion.at

    def record(self, conversion: Conversion) -> dict:
        form = FORMS[self.readings.get("timestamp-form", "sample")]
        record = conversion.fields | {"timestamp": f"{self.shown(conversion):{form}}"}
        for name in ("email", "previous_page"):
            if record[name] is None and self.has("missing", "omitted"):
                del record[name]
            elif record[name] is None and self.has("missing", "empty"):
                record[name] = ""
        if self.has("extra-fields", "some"):
            values = conversion.session.values
            record |= {"session_id": f"s-{conversion.session.order[1]}", "source": values["source"], "medium": values["medium"]}
        return record
