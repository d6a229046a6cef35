from fastapi import BackgroundTasks, FastAPI
from pydantic import BaseModel


class Item(BaseModel):
    name: str
    price: int = 1


class Order(BaseModel):
    id: int
    items: list[Item]


class Mailer:
    def __init__(self, host: str) -> None:
        self.host = host

    def __repr__(self) -> str:
        return f"<Mailer {self.host}>"

    def welcome(self, to: str) -> None: ...


def process_item(item_id: int, action: str = "create") -> None: ...


def send_email(to: str, subject: str, *, body: str = "") -> None: ...


def ship(order: Order, payload: dict) -> None: ...


def charge(amount: int) -> None:
    raise ValueError("card declined")


def retry(url: str, times: int = 3) -> None: ...


app = FastAPI()
mailer = Mailer("smtp.example.org")


@app.post("/items/{item_id}")
def create_item(item_id: int, tasks: BackgroundTasks, action: str = "create"):
    tasks.add_task(process_item, item_id, action=action)


@app.post("/users")
def create_user(tasks: BackgroundTasks):
    body = "Dear Ada, " + "welcome to the shop. " * 5 + "Yours, Bob"
    tasks.add_task(send_email, "ada@example.org", "Welcome", body=body)
    tasks.add_task(mailer.welcome, "ada@example.org")
    tasks.add_task(process_item, 1)


@app.post("/orders")
def create_order(tasks: BackgroundTasks):
    order = Order(id=1, items=[Item(name="pen"), Item(name="ink", price=3)])
    tasks.add_task(ship, order, {"lines": [{"n": 1}, {"n": 2}], "to": {"name": "Ada"}})


@app.post("/payments")
def pay(tasks: BackgroundTasks):
    tasks.add_task(charge, 100)
    tasks.add_task(process_item, 1)


@app.post("/wrong")
def wrong(tasks: BackgroundTasks):
    tasks.add_task(process_item)


@app.get("/health")
def health():
    return "ok"
