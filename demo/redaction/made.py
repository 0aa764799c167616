"""Texts made with faker: eighteen templates, twelve kinds of personal data, the same for everyone.

They are what templated production traffic looks like at its best: few templates, names and numbers that are always new.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import faker

from demo.redaction.text import Entity, Text

TEMPLATES = (
    "Hi, I'm {PERSON} and my new phone number is {PHONE_NUMBER}. Please update my account.",
    "Please send the invoice to {EMAIL_ADDRESS}, attention {PERSON}.",
    "{PERSON} lives at {STREET_ADDRESS} and was born on {DATE_OF_BIRTH}.",
    "My card {CREDIT_CARD} was declined yesterday. You can call me on {PHONE_NUMBER}.",
    "Transfer the rent to IBAN {IBAN_CODE}, account holder {PERSON}.",
    "The SSN on file for {PERSON} is {US_SSN}; the email address is {EMAIL_ADDRESS}.",
    "Login from {IP_ADDRESS} as user {USERNAME} failed three times.",
    "I work for {ORGANIZATION}. My username there is {USERNAME}.",
    "Ship it to {STREET_ADDRESS}. If nobody is at home, call {PHONE_NUMBER} and ask for {PERSON}.",
    "The car with the plate {LICENSE_PLATE} belongs to {PERSON}, who works for {ORGANIZATION}.",
    "Patient {PERSON}, born {DATE_OF_BIRTH}, insurance number {US_SSN}, was seen today.",
    "Could you reset the password of {USERNAME}? The address on file is {EMAIL_ADDRESS}.",
    "We saw a payment with card {CREDIT_CARD} from {IP_ADDRESS}. Was that you, {PERSON}?",
    "{ORGANIZATION} has moved to {STREET_ADDRESS}; write to {EMAIL_ADDRESS} from now on.",
    "Refund {PERSON} to {IBAN_CODE} and send the confirmation to {EMAIL_ADDRESS}.",
    "A parking ticket for {LICENSE_PLATE} was sent to {STREET_ADDRESS}.",
    "What are your opening hours on public holidays?",
    "Dear team, {PERSON} here. My date of birth is wrong in your system: it is {DATE_OF_BIRTH}. Thank you!",
)
TYPES = tuple(sorted({name for template in TEMPLATES for name in re.findall(r"{(\w+)}", template)}))
_PLACE = re.compile(r"{(\w+)}")


def made_texts(count: int, *, seed: int = 1) -> list[Text]:
    """So many texts, no two of them the same but for the template that holds no data."""
    source = faker.Faker("en_US")
    source.seed_instance(seed)
    roll = random.Random(f"texts {seed}")
    values = _values(source)
    return [_made(number, roll.randrange(len(TEMPLATES)), values) for number in range(count)]


def _made(number: int, template: int, values: dict[str, Callable[[], str]]) -> Text:
    parts = _PLACE.split(TEMPLATES[template])  # text and names of types by turns, beginning with text
    entities = [Entity(name, values[name]()) for name in parts[1::2]]
    filled = [*parts]
    filled[1::2] = [entity.value for entity in entities]
    return Text(f"made-{number}", f"made-{template}", "".join(filled), tuple(dict.fromkeys(entities)))


def _values(source: faker.Faker) -> dict[str, Callable[[], str]]:
    """How a value of each type is made."""
    return {
        "CREDIT_CARD": lambda: str(source.credit_card_number()),
        "DATE_OF_BIRTH": lambda: source.date_of_birth(minimum_age=18, maximum_age=90).strftime("%d %B %Y"),
        "EMAIL_ADDRESS": lambda: str(source.email()),
        "IBAN_CODE": lambda: str(source.iban()),
        "IP_ADDRESS": lambda: str(source.ipv4()),
        "LICENSE_PLATE": lambda: str(source.license_plate()),
        "ORGANIZATION": lambda: str(source.company()),
        "PERSON": lambda: str(source.name()),
        "PHONE_NUMBER": lambda: str(source.phone_number()),
        "STREET_ADDRESS": lambda: str(source.address()).replace("\n", ", "),
        "USERNAME": lambda: str(source.user_name()),
        "US_SSN": lambda: str(source.ssn()),
    }
