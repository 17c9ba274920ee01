// What is in the cart, and what it costs. All amounts in cents.

const NO_DISCOUNT = { percent: 0 };

const ITEMS = [
  { name: 'Pen', cents: 150, count: 12 },
  { name: 'Notebook', cents: 400, count: 1 },
  { name: 'Mug', cents: 950, count: 2 },
];

function discountFor(item) {
  const discount = NO_DISCOUNT;
  if (item.count >= 10) discount.percent += 10;
  return discount;
}

function totalOf(items) {
  let total = 0;
  for (const item of items) {
    const discount = discountFor(item);
    const price = item.cents * item.count;
    total += Math.round((price * (100 - discount.percent)) / 100);
  }
  return total;
}

module.exports = { ITEMS, totalOf };
