"""The demo's working day: an application and a person use three tables while the virtual clock runs from morning to evening."""
import random
from collections import Counter
from datetime import datetime, timedelta

import boto3
from botocore.config import Config

MINUTES = 4  # between two moves of the clock


def client(who, url, region, service="dynamodb"):
    """A boto3 client of one principal: (access key, secret, token)."""
    key, secret, token = who
    return boto3.client(service, endpoint_url=url, region_name=region, aws_access_key_id=key, aws_secret_access_key=secret,
                        aws_session_token=token, config=Config(retries={"total_max_attempts": 1}))


SHARES = {  # how likely a principal is to use a table within one step of a busy hour
    "alice": {"ratings": 0.2, "players": 0.12, "sessions": 0},
    "bob": {"ratings": 0.3, "players": 0.2, "sessions": 0.2},
    "i-0abc": {"ratings": 0.95, "players": 0.6, "sessions": 0.9},
    "i-0def": {"ratings": 0.8, "players": 0.4, "sessions": 0.7},
}


def busy(who, table, hour):
    """How many calls a principal makes to a table in one step; drawn, but the same in every run."""
    if who in ("alice", "bob") and 12.25 <= hour < 13.25:
        return 0  # lunch
    if who == "i-0def" and not 10 <= hour < 16:
        return 0  # the second instance is up only while much is to do
    rush = 1.0 if 10 <= hour < 12 or 14 <= hour < 16 else 0.4
    return random.choice([2, 4, 7, 12]) if random.random() < SHARES[who][table] * rush else 0


def play(clients, tables, clock, start, end):
    """Moves the clock from start to end, with calls on the way. Returns how many calls each table got."""
    random.seed(2019)
    done, now = Counter(), start
    while now < end:
        hour = now.hour + now.minute / 60
        for who, dynamodb in clients.items():
            for table in tables:
                for _ in range(busy(who, table, hour)):
                    item(dynamodb, table)
                    done[table] += 1
        now += timedelta(minutes=MINUTES)
        clock({"advance": f"{MINUTES}m"})
    return done


def item(dynamodb, table):
    key = {"player": {"S": f"player-{random.randrange(40)}"}, "rating": {"N": str(random.randrange(100))}}
    if random.random() < 0.3:
        dynamodb.put_item(TableName=table, Item={**key, "comment": {"S": "good"}})
    else:
        dynamodb.get_item(TableName=table, Key=key)


def at(state):
    """The time that the clock's endpoint tells."""
    return datetime.fromisoformat(state["now"].replace("Z", "+00:00"))
