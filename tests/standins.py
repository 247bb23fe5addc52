"""Servers that stand for tools: they serve the documented payloads, page by page, to whoever signs in as the documentation says."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs

from monitoring.connectors.map_document import shipped
from tests.recordings import RECORDED
from tests.toolserver import Asked, Says

PAGE = 2
REFUSED = Says(401, {"message": "Unauthorized"})


def payload(kind: str, case: str, file: str) -> Any:
    return json.loads((RECORDED / kind / case / file).read_text())


class StandIn:
    """`settings` and `secrets` let the product in; `rows` is what there is to tell."""

    kind = ""
    settings: dict[str, str] = {}
    secrets: dict[str, str] = {}
    prefix = ""  # of the path in the setting `address`
    questions, records = 3, 5  # that it takes at least to hear everything, and that this comes to
    goes_on = True  # from where a round ended

    def __call__(self, asked: Asked) -> Says:
        raise AssertionError

    def reached(self, address: str) -> dict[str, str]:
        return {**self.settings, "address": address + self.prefix}


class VeeamStandIn(StandIn):
    kind = "veeam"
    settings = {"user": "DOMAIN\\reader", "api_version": "1.1-rev0"}
    secrets = {"password": "a very secret password"}

    def __init__(self) -> None:
        self.rows = payload("veeam", "sessions", "00-sessions.json")["data"]
        self.tokens: list[str] = []

    def __call__(self, asked: Asked) -> Says:
        if asked.path == "/api/oauth2/token":
            form = {key: values[0] for key, values in parse_qs(asked.body).items()}
            if form != {"grant_type": "password", "username": "DOMAIN\\reader", "password": "a very secret password"}:
                return REFUSED
            self.tokens.append(f"access-token-number-{len(self.tokens)}")
            return Says(body={"access_token": self.tokens[-1], "token_type": "bearer", "refresh_token": "r" * 40, "expires_in": 900})
        if not self.tokens or asked.headers.get("authorization") != f"Bearer {self.tokens[-1]}" or "x-api-version" not in asked.headers:
            return REFUSED
        skip = int(asked.query["skip"])
        rows = [one for one in self.rows if "createdAfterFilter" in asked.query or one["endTime"]]
        page = rows[skip : skip + PAGE]
        return Says(body={"data": page, "pagination": {"total": len(rows), "count": len(page), "skip": skip, "limit": PAGE}})


class PbsStandIn(StandIn):
    kind = "pbs"
    settings = {"token_id": "reader@pbs!assurance", "datastores": "main"}
    secrets = {"token": "0f1e2d3c-secret-of-the-token"}

    def __init__(self) -> None:
        self.rows = payload("pbs", "tasks-and-snapshots", "01-tasks.json")["data"]
        self.snapshots = payload("pbs", "tasks-and-snapshots", "00-snapshots-main.json")["data"]

    def __call__(self, asked: Asked) -> Says:
        if asked.headers.get("authorization") != "PBSAPIToken=reader@pbs!assurance:0f1e2d3c-secret-of-the-token":
            return REFUSED
        if asked.path == "/api2/json/admin/datastore/main/snapshots":
            return Says(body={"data": self.snapshots})
        if asked.path != "/api2/json/nodes/localhost/tasks":
            return Says(404, {"message": "no such path"})
        start, limit = int(asked.query["start"]), int(asked.query["limit"])
        rows = [one for one in self.rows if one["starttime"] >= int(asked.query["since"])]
        return Says(body={"data": rows[start : start + limit], "total": len(rows)})


class VeleroStandIn(StandIn):
    kind = "velero"
    secrets = {"token": "token-of-the-service-account"}

    def __init__(self) -> None:
        self.rows = payload("velero", "backups-and-restores", "00-backups.json")["items"]
        self.restores = payload("velero", "backups-and-restores", "01-restores.json")["items"]

    def __call__(self, asked: Asked) -> Says:
        if asked.headers.get("authorization") != "Bearer token-of-the-service-account":
            return Says(401, {"kind": "Status", "status": "Failure", "message": "Unauthorized", "code": 401})
        name = asked.path.removeprefix("/apis/velero.io/v1/namespaces/velero/")
        rows = {"backups": self.rows, "restores": self.restores}[name]
        begin = int(asked.query.get("continue", "0"))
        after = str(begin + PAGE) if begin + PAGE < len(rows) else ""
        return Says(body={"kind": "List", "metadata": {"resourceVersion": "1", "continue": after}, "items": rows[begin : begin + PAGE]})


class ZabbixStandIn(StandIn):
    kind = "zabbix"
    secrets = {"token": "token-of-the-api-user"}

    def __init__(self) -> None:
        self.rows = payload("zabbix", "events", "00-events.json")["result"]

    def __call__(self, asked: Asked) -> Says:
        if asked.headers.get("authorization") != "Bearer token-of-the-api-user":
            error = {"code": -32602, "message": "Invalid params.", "data": "Session terminated, re-login, please."}
            return Says(body={"jsonrpc": "2.0", "error": error, "id": 1})
        params = asked.json["params"]
        rows = [one for one in self.rows if int(one["eventid"]) >= int(params.get("eventid_from", 0))]
        rows = [one for one in rows if int(one["clock"]) >= int(params.get("time_from", 0))]
        return Says(body={"jsonrpc": "2.0", "result": rows[: params["limit"]], "id": 1})


class AwsStandIn(StandIn):
    kind = "aws-backup"
    settings = {"region": "eu-central-1", "key_id": "AKIDEXAMPLE"}
    secrets = {"secret_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}
    keys = {"/backup-jobs/": "BackupJobs", "/copy-jobs/": "CopyJobs", "/restore-jobs/": "RestoreJobs"}

    def __init__(self) -> None:
        files = ("00-backup-jobs.json", "01-copy-jobs.json", "02-restore-jobs.json")
        told = {key: rows for file in files for key, rows in payload("aws-backup", "jobs", file).items()}
        self.rows, self.others = told.pop("BackupJobs"), told

    def __call__(self, asked: Asked) -> Says:
        signed = asked.headers.get("authorization", "")
        if not signed.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/") or "/eu-central-1/backup/aws4_request" not in signed:
            return Says(403, {"message": "The security token included in the request is invalid."})
        key = self.keys[asked.path]
        rows = self.rows if key == "BackupJobs" else self.others[key]
        if "completeAfter" in asked.query:
            rows = [one for one in rows if "CompletionDate" in one]
        begin = int(asked.query.get("nextToken", "0"))
        more = {"NextToken": str(begin + PAGE)} if begin + PAGE < len(rows) else {}
        return Says(body={key: rows[begin : begin + PAGE], **more})


class IcingaStandIn(StandIn):
    kind = "icinga2"
    settings = {"user": "reader"}
    secrets = {"password": "password-of-the-api-user"}
    questions, records, goes_on = 1, 3, False  # it tells the latest results, all of them at once

    def __init__(self) -> None:
        self.rows = payload("icinga2", "passive-backup-checks", "objects-services.json")["results"]

    def __call__(self, asked: Asked) -> Says:
        if asked.headers.get("authorization") != "Basic " + b64encode(b"reader:password-of-the-api-user").decode():
            return Says(401, {"error": 401, "status": "Unauthorized. Please check your user credentials."})
        assert asked.headers["x-http-method-override"] == "GET" and asked.method == "POST"
        return Says(body={"results": self.rows})


class PrometheusStandIn(StandIn):
    kind = "prometheus"
    secrets = {"token": "token-for-the-proxy"}
    records, goes_on = 4, False  # three series, of which one failed since it went well

    def __init__(self) -> None:
        told = [payload("prometheus", "pushgateway-metrics", file)["data"]["result"] for file in ("query-raw.json", "push-times.json")]
        self.rows = [row for rows in told for row in rows]

    def __call__(self, asked: Asked) -> Says:
        if asked.headers.get("authorization") != "Bearer token-for-the-proxy":
            return REFUSED
        rows = [row for row in self.rows if row["metric"]["__name__"] == asked.query["query"]]
        return Says(body={"status": "success", "data": {"resultType": "vector", "result": rows}})


class AwsRoleStandIn(AwsStandIn):
    """The same jobs, for whoever takes on the role of the account."""

    name = "aws-backup by a role"
    settings = {**AwsStandIn.settings, "role_arn": "arn:aws:iam::111122223333:role/reader", "external_id": "our+side/1"}
    secret_of_role, token_of_role = "secret-of-the-role", "session-token-of-the-role"

    def reached(self, address: str) -> dict[str, str]:
        return {**super().reached(address), "sts_address": address + "/sts"}

    def __call__(self, asked: Asked) -> Says:
        signed = asked.headers.get("authorization", "")
        if asked.path == "/sts/":
            wanted = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": self.settings["role_arn"],
                      "RoleSessionName": "itsm-backup", "ExternalId": "our+side/1"}  # fmt: skip
            if asked.query != wanted or "Credential=AKIDEXAMPLE/" not in signed or "/eu-central-1/sts/aws4_request" not in signed:
                return Says(403, {"Error": {"Code": "AccessDenied", "Message": "not authorized to perform: sts:AssumeRole"}})
            told = payload("aws-backup", "role", "assume-role.json")
            told["AssumeRoleResponse"]["AssumeRoleResult"]["Credentials"] |= {
                "AccessKeyId": "ASIAROLE", "SecretAccessKey": self.secret_of_role, "SessionToken": self.token_of_role,
            }  # fmt: skip
            return Says(body=told)
        if "Credential=ASIAROLE/" not in signed or asked.headers.get("x-amz-security-token") != self.token_of_role:
            return Says(403, {"message": "The security token included in the request is invalid."})
        asked.headers["authorization"] = signed.replace("ASIAROLE", "AKIDEXAMPLE")
        return super().__call__(asked)


class MappedStandIn(StandIn):
    """A tool that is read by a map which comes with the product."""

    kind = "mapped"
    map = ""

    def reached(self, address: str) -> dict[str, str]:
        return {**super().reached(address), "map": self.map, "document": shipped()[self.map]}


class NetBackupStandIn(MappedStandIn):
    map = "netbackup"
    secrets = {"secret": "api-key-of-the-reader"}

    def __init__(self) -> None:
        self.rows = [row for file in ("00-list.json", "01-list.json") for row in payload("mapped", "netbackup", file)["data"]]

    def __call__(self, asked: Asked) -> Says:
        if asked.headers.get("authorization") != "api-key-of-the-reader" or "netbackup+json" not in asked.headers["accept"]:
            return Says(401, {"errorCode": 8700, "errorMessage": "Unauthorized"})
        assert asked.path == "/netbackup/admin/jobs" and asked.query["filter"].startswith("lastUpdateTime gt 2026-")
        begin = int(asked.query.get("page[after]", "0"))
        after = {"next": str(begin + PAGE)} if begin + PAGE < len(self.rows) else {}
        return Says(body={"data": self.rows[begin : begin + PAGE], "meta": {"pagination": after}}, kind="application/vnd.netbackup+json")


class RubrikStandIn(MappedStandIn):
    map = "rubrik"
    settings = {"user": "client|reader"}
    secrets = {"secret": "secret-of-the-service-account"}

    def __init__(self) -> None:
        self.tokens: list[str] = []
        told = [payload("mapped", "rubrik", file)["data"]["activitySeriesConnection"] for file in ("00-list.json", "01-list.json")]
        self.rows = [row for one in told for row in one["edges"]]

    def __call__(self, asked: Asked) -> Says:
        if asked.path == "/api/client_token":
            good = asked.json == {"client_id": "client|reader", "client_secret": "secret-of-the-service-account"}
            self.tokens += [f"access-token-number-{len(self.tokens)}"] * good
            return Says(body={"access_token": self.tokens[-1]}) if good else REFUSED
        if not self.tokens or asked.headers.get("authorization") != f"Bearer {self.tokens[-1]}":
            return REFUSED
        begin = int(asked.json["variables"].get("after", "0"))
        more = begin + PAGE < len(self.rows)
        page = {"edges": self.rows[begin : begin + PAGE], "pageInfo": {"endCursor": str(begin + PAGE), "hasNextPage": more}}
        return Says(body={"data": {"activitySeriesConnection": page}})


LISTS = (VeeamStandIn, PbsStandIn, VeleroStandIn, ZabbixStandIn, AwsStandIn)  # what tells page by page
STAND_INS: dict[str, type[StandIn]] = {each.kind: each for each in (*LISTS, IcingaStandIn, PrometheusStandIn)}
STAND_INS[AwsRoleStandIn.name] = AwsRoleStandIn
STAND_INS |= {each.map: each for each in (NetBackupStandIn, RubrikStandIn)}
